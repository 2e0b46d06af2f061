"""The models that AttrFormer is compared with: one file a model."""
