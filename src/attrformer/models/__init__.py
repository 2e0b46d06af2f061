"""The networks: AttrFormer, then one file for each baseline."""
