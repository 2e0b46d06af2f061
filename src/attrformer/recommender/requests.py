"""Who is to get recommendations, and what is known of each: a history, attributes, both or neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import USER
from attrformer.csr import offsets_of
from attrformer.data.construct import histories_from_frame
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError, DataError
from attrformer.recommender.entries import alike, ids_of, known_only, library_of_given, with_details
from attrformer.recommender.profiles import read_profiles
from attrformer.recommender.state import ModelState
from attrformer.recommender.unknown import CATALOGUE, REFUSE, USERS, OnUnknown, id_series, rows_among

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """People of one request who can be answered together.

    Args:
        places: int64 `[b]`, their places in the request, ascending.
        contexts: their histories in item codes of the model, none empty; None where they have none.
    """

    places: Codes
    contexts: Sequences | None


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """People to answer.

    Histories are named by their rows and copied only for those who are answered next, so that a request for everybody
    takes little memory.

    Args:
        names: what the answer calls each of them, `[n]`.
        users: int64 `[n]`, user codes of the model, -1 for people it does not know.
        stored: int64 `[n]`, rows of the stored histories to read, -1 for others.
        given: int64 `[n]`, rows of the histories that came with the request, -1 for others.
        histories: the histories that came with the request.
        values: int64 `[n]` codes by user attribute; None for what the model knows of the users.
        library: frame library of the answer.
        as_of: when items have the values of attributes that change, in seconds; None: at the time of each history.
    """

    names: pl.Series
    users: Codes
    stored: Codes
    given: Codes
    histories: Sequences
    values: dict[str, Codes] | None
    library: str
    as_of: int | None = None

    def __len__(self) -> int:
        return len(self.users)

    def groups(self, fitted: ModelState, block: Codes) -> Iterator[Group]:
        """Some people of the request, those together who are answered in the same way.

        Args:
            fitted: the model.
            block: int64 `[b]`, places in the request, ascending.

        Yields:
            Those with a stored history, those with one of the request with and without times, and those without any.
        """
        rest = np.ones(len(block), dtype=bool)
        for rows, histories in ((self.stored, fitted.knowledge.histories), (self.given, self.histories)):
            named = rows[block]
            there = named >= 0
            there[there] = histories.lengths_of(named[there]) > 0
            for some, contexts in alike(histories, named[there]):
                yield Group(block[there][some], contexts)
            rest &= ~there
        if rest.any():
            yield Group(block[rest], None)

    def lengths(self, fitted: ModelState, places: Codes) -> Codes:
        """How many interactions the history of some people has, int64 `[b]`; 0 for those without one.

        Args:
            fitted: the model.
            places: int64 `[b]`, places in the request.
        """
        lengths = np.zeros(len(places), dtype=np.int64)
        for rows, histories in ((self.stored, fitted.knowledge.histories), (self.given, self.histories)):
            there = rows[places] >= 0
            lengths[there] = histories.lengths_of(rows[places][there])
        return lengths

    def values_at(self, fitted: ModelState, places: Codes) -> dict[str, Codes]:
        """Codes of each user attribute of some people, int64 `[b]`."""
        if self.values is None:
            return fitted.user_values(self.users[places])
        return {name: codes[places] for name, codes in self.values.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Histories that came with a request, and what they are called; `named` where that may be a user's id."""

    names: pl.Series
    contexts: Sequences
    named: bool = True


def read_request(
    fitted: ModelState, users: Any, histories: Any, user_attributes: Any = None, unknown: OnUnknown = REFUSE
) -> Request:
    """The request that the arguments of `recommend` and `explain` make; see there.

    Raises:
        ConfigurationError: histories without names are given together with users, or attributes name one that the model
            does not read.
        UnknownIdError: an id or value is not known, and is not to be left out.
        DataError: an argument cannot be read.
    """
    knowledge = fitted.knowledge
    if users is None and histories is None and user_attributes is None:
        return _everyone(fitted)
    given = None if histories is None else _read_histories(fitted, histories, unknown)
    if given is not None and not given.named and users is not None:
        raise ConfigurationError(
            "Both users and histories are given, and the histories have no names. "
            "Give the histories as a mapping of user id to item ids, or leave out users."
        )
    profiles = None if user_attributes is None else read_profiles(fitted.relations.users, user_attributes, unknown)
    names = _names(
        None if users is None else id_series(users, "users"),
        None if given is None else given.names,
        None if profiles is None or users is not None else profiles.names,
    )
    nameless = 0 if given is None or given.named else len(given.names)
    codes = np.full(len(names), -1, dtype=np.int64)
    codes[nameless:] = knowledge.user_ids.encode(names[nameless:])
    rows = rows_among(names, None if given is None else given.names)
    described = rows_among(names, None if profiles is None else profiles.names)
    strangers = (codes < 0) & (rows < 0) & (described < 0)
    if strangers.any():
        unknown.report(names.filter(pl.Series(strangers)), "users", USERS)
        kept = np.flatnonzero(~strangers)
        names, codes, rows, described = names[kept], codes[kept], rows[kept], described[kept]
    return Request(
        names=knowledge.user_ids.decode(codes).rename(USER) if (codes >= 0).all() else names.rename(USER),
        users=codes,
        stored=np.where(rows < 0, codes, -1),
        given=rows,
        histories=_no_histories() if given is None else given.contexts,
        values=None if profiles is None else profiles.over(fitted.user_values(codes), described),
        library=library_of_given(knowledge.frame_library, histories, user_attributes),
    )


def _everyone(fitted: ModelState) -> Request:
    codes = np.flatnonzero(fitted.knowledge.histories.lengths > 0).astype(np.int64)
    names = fitted.knowledge.user_ids.decode(codes).rename(USER)
    nobody = np.full(len(codes), -1, dtype=np.int64)
    return Request(names, codes, codes, nobody, _no_histories(), None, fitted.knowledge.frame_library)


def _names(users: pl.Series | None, histories: pl.Series | None, attributes: pl.Series | None) -> pl.Series:
    """Everybody who is named, each argument adding those that the ones before it do not name."""
    named = [series.rename(USER) for series in (users, histories, attributes) if series is not None]
    if len({series.dtype for series in named if len(series)}) > 1:
        named = [series.cast(pl.String) for series in named]
    every = named[0]
    for series in named[1:]:
        if len(every) and len(series):
            series = series.filter(~series.is_in(every.implode()))
        every = pl.concat([every, series]) if len(every) else series
    return every


def _read_histories(fitted: ModelState, histories: Any, unknown: OnUnknown) -> _Given:
    if isinstance(histories, (int, float, set, frozenset, np.generic)):
        raise DataError(
            f"{histories!r} is no list of histories",
            fix="Give a list of item ids for each user, [[item, ...], ...], a mapping of user id to such a list, or a "
            "table",
            source="histories",
        )
    if not isinstance(histories, (Mapping, list, tuple, str, Path)) and not hasattr(histories, "columns"):
        # Arrays, columns of lists and generators hold a history at each place.
        histories = list(histories.tolist() if hasattr(histories, "tolist") else histories)
    if isinstance(histories, Mapping):
        return _of_lists(fitted, id_series(histories.keys(), USER), list(histories.values()), unknown)
    if isinstance(histories, (list, tuple)):
        names = pl.Series(USER, np.arange(len(histories)))
        return replace(_of_lists(fitted, names, list(histories), unknown), named=False)
    given = histories_from_frame(histories, fitted.behaviours, meaning=fitted.knowledge.histories.meaning)
    known = unknown.known(fitted.knowledge.item_ids, given.item_ids.values, "histories", CATALOGUE)
    contexts = _with_levels(fitted, replace(given.sequences, items=known[given.sequences.items].astype(np.int32)))
    return _Given(given.user_ids.values, known_only(contexts))


def _of_lists(fitted: ModelState, names: pl.Series, lists: list[Any], unknown: OnUnknown) -> _Given:
    for name, items in zip(names, lists, strict=True):
        if isinstance(items, (str, bytes, Mapping, set, frozenset)) or not isinstance(items, (Sequence, Iterable)):
            raise DataError(
                f"the history of '{name}' is {items!r}, no list of item ids",
                fix="Give a list of item ids for each user, oldest first",
                source="histories",
            )
    rows = [list(items) for items in lists]
    offsets = offsets_of([len(row) for row in rows])
    items = id_series(ids_of(rows), "histories")
    codes = unknown.known(fitted.knowledge.item_ids, items, "histories", CATALOGUE)
    values = fitted.knowledge.histories.meaning.values
    contexts = with_details(Sequences(offsets, codes.astype(np.int32)), rows, fitted.behaviours, values)
    return _Given(names, known_only(_with_levels(fitted, contexts)))


def _with_levels(fitted: ModelState, contexts: Sequences) -> Sequences:
    """The histories with every behaviour attribute that the model reads, missing ones as such."""
    missing = np.full(len(contexts.items), np.nan, dtype=np.float32)
    behaviours = {name: contexts.behaviours.get(name, missing) for name in fitted.behaviours}
    return replace(contexts, behaviours=behaviours, meaning=fitted.knowledge.histories.meaning)


def _no_histories() -> Sequences:
    return Sequences(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32))
