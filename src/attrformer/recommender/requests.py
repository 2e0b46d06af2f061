"""Who is to get recommendations: known users or histories of anybody, as the network reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import USER
from attrformer.dataset.construct import dataset_from_frames
from attrformer.dataset.frames import library_of
from attrformer.dataset.ids import Ids
from attrformer.dataset.sequences import Sequences
from attrformer.errors import ConfigurationError, DataError, UnknownIdError
from attrformer.recommender.fitted import Fitted

_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Histories to answer.

    Args:
        names: what the answer calls each of them, `[n]`.
        users: int64 `[n]`, user codes of the model, -1 for people it does not know.
        contexts: their histories in item codes of the model, none empty.
        library: frame library of the answer.
    """

    names: pl.Series
    users: NDArray[np.int64]
    contexts: Sequences
    library: str


def read_request(fitted: Fitted, users: Any, histories: Any) -> Request:
    """The request that the arguments of `recommend` and `explain` make.

    Args:
        fitted: the model.
        users: external ids of known users (or one id), or None.
        histories: a mapping of user id to item ids, a list of lists of item ids, or a table with `user_id`, `item_id`
            and what else the training interactions had; None for known users. Ids of known users bring their
            attributes, and leave these users out of those who are similar.

    Raises:
        ConfigurationError: both are given.
        UnknownIdError: an id is not known.
        DataError: a history is empty, or a table cannot be read.
    """
    if users is not None and histories is not None:
        raise ConfigurationError("Both users and histories are given. Give one of them.")
    if histories is None:
        return _of_known(fitted, users)
    if isinstance(histories, Mapping):
        names = _series(histories.keys(), USER)
        return _of_lists(fitted, names, list(histories.values()), _codes(fitted, names))
    if isinstance(histories, (list, tuple)):
        names = pl.Series(USER, np.arange(len(histories)))
        return _of_lists(fitted, names, list(histories), np.full(len(histories), -1, dtype=np.int64))
    return _of_table(fitted, histories)


def item_codes(fitted: Fitted, items: Any, what: str) -> NDArray[np.int64]:
    """Codes of external item ids, int64 `[n]`.

    Raises:
        UnknownIdError: some are not in the catalogue; the message names them.
    """
    return _known(fitted.knowledge.item_ids, _series(items, what), what, "the catalogue of this model")


def chosen_items(fitted: Fitted, items: Any, what: str) -> NDArray[np.int64]:
    """Codes of the items that an answer is restricted to, distinct, in the order of the catalogue.

    Raises:
        UnknownIdError: some are not in the catalogue; the message names them.
        ConfigurationError: there are none.
    """
    codes = np.unique(item_codes(fitted, items, what))
    if not len(codes):
        raise ConfigurationError(f"{what} is empty. Give at least one item id, or None.")
    return codes


def _of_known(fitted: Fitted, users: Any) -> Request:
    knowledge = fitted.knowledge
    if users is None:
        codes = np.flatnonzero(knowledge.histories.lengths > 0)
    else:
        codes = _known(knowledge.user_ids, _series(users, "users"), "users", "the users of this model")
    names = knowledge.user_ids.decode(codes).rename(USER)
    contexts = knowledge.histories.rows(codes)
    _refuse_empty(names, contexts)
    return Request(names, codes.astype(np.int64), contexts, knowledge.frame_library)


def _of_lists(fitted: Fitted, names: pl.Series, lists: list[Any], users: NDArray[np.int64]) -> Request:
    for name, items in zip(names, lists, strict=True):
        if isinstance(items, (str, bytes)) or not isinstance(items, (Sequence, Iterable)):
            raise DataError(
                f"the history of '{name}' is {items!r}, no list of item ids",
                fix="Give a list of item ids for each user, oldest first",
                source="histories",
            )
    rows = [list(items) for items in lists]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    codes = item_codes(fitted, [item for row in rows for item in row], "histories")
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    contexts = _with_levels(fitted, Sequences(offsets, codes.astype(np.int32)))
    _refuse_empty(names, contexts)
    return Request(names, users, contexts, fitted.knowledge.frame_library)


def _of_table(fitted: Fitted, table: Any) -> Request:
    given = dataset_from_frames(table, name="histories")
    codes = item_codes(fitted, given.item_ids.values, "histories").astype(np.int32)
    contexts = _with_levels(fitted, replace(given.sequences, items=codes[given.sequences.items]))
    names = given.user_ids.values.rename(USER)
    return Request(names, _codes(fitted, names), contexts, library_of(table))


def _with_levels(fitted: Fitted, contexts: Sequences) -> Sequences:
    """The histories with every behaviour attribute that the network reads, missing ones as such."""
    missing = np.full(len(contexts.items), np.nan, dtype=np.float32)
    return replace(
        contexts, behaviours={name: contexts.behaviours.get(name, missing) for name in fitted.relations.levels}
    )


def _codes(fitted: Fitted, names: pl.Series) -> NDArray[np.int64]:
    return fitted.knowledge.user_ids.encode(names).astype(np.int64)


def _known(ids: Ids, values: pl.Series, what: str, where: str) -> NDArray[np.int64]:
    codes = ids.encode(values).astype(np.int64)
    if (codes < 0).any():
        unknown = values.gather(np.flatnonzero(codes < 0)).unique(maintain_order=True)
        named = ", ".join(f"'{value}'" for value in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise UnknownIdError(
            f"{what}: {named}{more} not among {where}. Give known ids, or fit the model to data that hold them."
        )
    return codes


def _series(values: Any, what: str) -> pl.Series:
    if isinstance(values, (str, int)):
        values = [values]
    try:
        return values if isinstance(values, pl.Series) else pl.Series(what, list(values))
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"the ids cannot be read as one column ({error})", fix="Give ids of one type", source=what
        ) from error


def _refuse_empty(names: pl.Series, contexts: Sequences) -> None:
    empty = np.flatnonzero(contexts.lengths == 0)
    if len(empty):
        raise DataError(
            f"the history of user '{names[int(empty[0])]}' is empty",
            fix="Give each at least one interaction, or leave out who has none",
            source="histories",
        )
