"""Nested frozen dataclasses as configuration: to and from plain values, dotted overrides, YAML and help."""

from attrformer.configuration.kinds import variants_of
from attrformer.configuration.listing import Option, describe
from attrformer.configuration.values import from_dict, load_yaml, override, to_dict

__all__ = ["Option", "describe", "from_dict", "load_yaml", "override", "to_dict", "variants_of"]
