"""Network layers and losses: they work on tensors and know no tables."""
