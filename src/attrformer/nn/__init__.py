"""Modules and functions that know tensors, not tables."""
