"""The rules of a request, as a caller gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from attrformer.errors import ConfigurationError
from attrformer.paths import shown
from attrformer.rules.options import RULES, Rules

ITEM_VALUES: Final = "item_values"

ARGUMENTS: Final = (*RULES, ITEM_VALUES)
"""The arguments of a request that are rules, or what these read."""


@dataclass(frozen=True, slots=True, eq=False)
class ShopRules:
    """The rules of one request.

    Args:
        rules: all but what is below.
        expression: a polars expression that `where` was given as, or None.
        item_values: attribute values as they were given, or None.
    """

    rules: Rules
    expression: pl.Expr | None = None
    item_values: Any = None

    @classmethod
    def read(cls, given: Mapping[str, Any], together: Any = None) -> ShopRules | None:
        """The rules that the arguments of `recommend` say; None where there are none.

        Args:
            given: arguments by name, those of `ARGUMENTS`; None for what was not given.
            together: several rules, as `Rules`, a mapping, or a YAML file; the other arguments go before it.

        Raises:
            ConfigurationError: there is no such rule, or it has a value that cannot be used.
        """
        named = {name: value for name, value in given.items() if value is not None}
        if not named and together is None:
            return None
        base, values = _together(together), named.pop(ITEM_VALUES, None)
        expression = named.pop("where") if isinstance(named.get("where"), pl.Expr) else None
        rules = Rules(**({name: getattr(base, name) for name in RULES} | named)) if named else base
        if expression is not None:
            rules = replace(rules, where=None)
        if not rules and expression is None:
            return None
        return cls(rules, expression, values)


def _together(given: Any) -> Rules:
    """Several rules at once."""
    if given is None:
        return Rules()
    if isinstance(given, Rules):
        return given
    if isinstance(given, Mapping):
        return Rules.from_dict(given)
    if isinstance(given, (str, Path)):
        return Rules.from_yaml(given)
    raise ConfigurationError(f"rules is {shown(given)}. Give Rules(...), a mapping of rules, or a YAML file.")
