"""Training: batches of examples, the loop, checkpoints, devices."""
