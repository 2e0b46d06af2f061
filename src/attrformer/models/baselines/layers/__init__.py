"""Layers that baselines alone use."""
