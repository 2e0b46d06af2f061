"""Attributes of users as they are given with a request, and the codes by which the model knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import USER
from attrformer.data.attributes import AttributeKind
from attrformer.data.frames import to_polars
from attrformer.data.python_values import mixed_series
from attrformer.data.tables import Table, id_column, require_columns, require_distinct
from attrformer.errors import ConfigurationError, DataError
from attrformer.recommender.unknown import OnUnknown, id_series
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.user_attribute import first_values

SOURCE: Final = "user_attributes"

_AS_TEXT: Final = AttributeEncoder(AttributeKind.CATEGORICAL, np.empty(0), np.empty(0, dtype=np.int64))
"""For models that were saved without how their attributes are read."""


class Encoded(Protocol):
    """A user attribute with what its values became: external ones by code, the last for a missing one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """External value of each code."""

    @property
    def encoder(self) -> AttributeEncoder | None:
        """How values become codes; None where the model was saved without it."""


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Attribute values of some users.

    Args:
        names: their ids, distinct, `[n]`.
        codes: int64 `[n]` by attribute; the last code of an attribute means that the value is not known.
        given: bool `[n]` by attribute, whether anything was said about it.
    """

    names: pl.Series
    codes: dict[str, NDArray[np.int64]]
    given: dict[str, NDArray[np.bool_]]

    def over(self, known: Mapping[str, NDArray[np.int64]], rows: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Codes of some users, int64 `[b]` by attribute: what their profiles say, else what was known before.

        Args:
            known: int64 `[b]` by attribute.
            rows: int64 `[b]`, the profile of each of them; -1 for those without one.
        """
        values = dict(known)
        for name, codes in self.codes.items() if len(self.names) else ():
            said = (rows >= 0) & self.given[name][rows]
            values[name] = np.where(said, codes[rows], values[name])
        return values


def read_profiles(relations: Mapping[str, Encoded], attributes: Any, unknown: OnUnknown) -> Profiles:
    """The profiles that the argument `user_attributes` holds.

    Args:
        relations: the user attributes that the model reads.
        attributes: a mapping of user id to a mapping of attribute to value, or a table with `user_id` and a column for
            each attribute. None and null say that a value is not known. Columns of a table that the model does not
            read are left alone, so that a whole table of users can be given.
        unknown: what becomes of values that the model has not seen; left out, they count as not known.

    Raises:
        ConfigurationError: a mapping names an attribute that the model does not read.
        DataError: something else was given, or a value does not fit its attribute.
        UnknownIdError: a value was never seen and is not to be left out.
    """
    frame, given = _of_mapping(attributes, relations) if isinstance(attributes, Mapping) else _of_table(attributes)
    table = Table(frame, SOURCE, mapped_by=())
    names = frame[USER] if isinstance(attributes, Mapping) else id_column(table, USER)
    require_distinct(table, names)
    read = [name for name in frame.columns if name in relations and name != USER]
    codes = {name: value_codes(relations[name], table, name, unknown) for name in read}
    everyone = np.ones(len(frame), dtype=bool)
    return Profiles(names, codes, {name: given.get(name, everyone) for name in read})


def value_codes(relation: Encoded, table: Table, name: str, unknown: OnUnknown) -> NDArray[np.int64]:
    """Codes of the values in a column, int64 `[rows]`; of several values of one user the first, as in training.

    Args:
        relation: the attribute.
        table: where the values stand.
        name: the column.
        unknown: what becomes of values that the attribute does not have.

    Raises:
        DataError: a value does not fit the attribute, such as a text where it holds numbers.
        UnknownIdError: a value was never seen and is not to be left out.
    """
    encoder, labels, rows = relation.encoder or _AS_TEXT, relation.labels[:-1], len(table.frame)
    everyone = np.arange(rows, dtype=np.int32)
    attribute = encoder.read(table, name, everyone, rows)
    unseen = pl.Series(encoder.unseen(attribute, labels), dtype=pl.String)
    unknown.report(unseen, f"{SOURCE}, '{name}'", f"the values of this model ({_some(labels)})")
    return first_values(*encoder.codes(attribute, labels), rows, len(labels))


def _of_mapping(
    attributes: Mapping[Any, Any], relations: Mapping[str, Encoded]
) -> tuple[pl.DataFrame, dict[str, NDArray[np.bool_]]]:
    rows = list(attributes.values())
    if not all(isinstance(row, Mapping) for row in rows):
        raise DataError(
            "a user has something else than attributes by name",
            fix="Give {'user': {'attribute': value}, ...} or a table with a column user_id",
            source=SOURCE,
        )
    mentioned = list(dict.fromkeys(name for row in rows for name in row))
    wrong = [name for name in mentioned if name not in relations]
    if wrong:
        raise ConfigurationError(
            f"{SOURCE} names '{wrong[0]}', which is no user attribute of this model. "
            f"It has: {', '.join(relations) or 'none'}."
        )
    columns = [id_series(attributes.keys(), USER).rename(USER)]
    columns += [mixed_series(name, [row.get(name) for row in rows]) for name in mentioned]
    given = {name: np.array([name in row for row in rows], dtype=bool) for name in mentioned}
    return pl.DataFrame(columns), given


def _of_table(attributes: Any) -> tuple[pl.DataFrame, dict[str, NDArray[np.bool_]]]:
    frame = to_polars(attributes, source=SOURCE)
    require_columns(Table(frame, SOURCE, mapped_by=()), (USER,))
    return frame, {}


def _some(labels: tuple[str, ...], most: int = 8) -> str:
    return ", ".join(labels[:most]) + (", ..." if len(labels) > most else "")
