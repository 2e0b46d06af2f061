"""Options that are given by names of earlier versions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from attrformer.config.schema import alternatives
from attrformer.errors import AttrFormerWarning, ConfigurationError


def name_of_today(kind: Any, name: Any, prefix: str) -> Any:
    """The name of an option that may be given by an earlier one, with a warning where it is.

    Args:
        kind: type of the part; a dataclass says by `EARLIER_NAMES` what its options were called.
        name: as given.
        prefix: what stands before a name in a message, such as "training.".
    """
    for option in alternatives(kind):
        new = getattr(option, "EARLIER_NAMES", {}).get(name) if isinstance(name, str) else None
        if new is not None:
            warn_of(f"{prefix}{name}", f"{prefix}{new}")
            return new
    return name


def warn_of(earlier: str, name: str) -> None:
    """Warns that an option is given by an earlier name.

    Args:
        earlier: the name, as given.
        name: of today.
    """
    note = f"The option '{earlier}' is called '{name}' now. The earlier name is still read."
    warnings.warn(note, AttrFormerWarning, stacklevel=3)


def under_names_of_today(cls: Any, mapping: Mapping[Any, Any], prefix: str) -> dict[Any, Any]:
    """Options of a part, those with earlier names under the names of today.

    Args:
        cls: the dataclass of the part.
        mapping: as given.
        prefix: what stands before a name in a message, such as "training.".

    Raises:
        ConfigurationError: an option is given under both names.
    """
    renamed: dict[Any, Any] = {}
    for given, value in mapping.items():
        name = name_of_today(cls, given, prefix)
        if name != given and name in mapping:
            raise ConfigurationError(f"'{prefix}{given}' is called '{prefix}{name}' now, and both are set. Set one.")
        renamed[name] = value
    return renamed
