"""Nested frozen dataclasses as configuration: to and from plain values, dotted overrides, YAML and help."""

from attrformer.config.options import Option, Options, describe
from attrformer.config.parse import from_dict, load_yaml, override, to_dict
from attrformer.config.schema import add_variant, name_of, open_family, variants_of

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
