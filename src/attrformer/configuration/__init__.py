"""Nested frozen dataclasses as configuration: to and from plain values, dotted overrides, YAML and help."""

from attrformer.configuration.kinds import add_variant, name_of, open_family, variants_of
from attrformer.configuration.listing import Option, describe
from attrformer.configuration.options import Options
from attrformer.configuration.values import from_dict, load_yaml, override, to_dict

__all__ = [
    "Option",
    "Options",
    "add_variant",
    "describe",
    "from_dict",
    "load_yaml",
    "name_of",
    "open_family",
    "override",
    "to_dict",
    "variants_of",
]
