"""From histories in external ids to the arrays that an exported graph takes; without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import USER
from attrformer.csr import offsets_of
from attrformer.data.construct import histories_from_frame
from attrformer.data.sequences import Sequences
from attrformer.errors import DataError
from attrformer.onnx.folder import Description
from attrformer.onnx.states import ValueStates
from attrformer.recommender.entries import alike, ids_of, known_only, with_details
from attrformer.recommender.profiles import read_profiles
from attrformer.recommender.unknown import CATALOGUE, REFUSE, OnUnknown, id_series, rows_among
from attrformer.relations.naming import module_key
from attrformer.relations.positions import NO_TIMES, level
from attrformer.relations.user_index import latest_anchors

Codes = NDArray[np.int64]

USERS, LEVELS, NEIGHBOURS, THEN, NOW = "user_", "level_", "neighbour_", "then_", "now_"
"""What the names of inputs begin with."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The users to answer.

    Args:
        names: what the answer calls each of them, `[n]`.
        users: int64 `[n]`, rows of the training, -1 for people it did not have.
        contexts: their histories in item codes, none empty.
    """

    names: pl.Series
    users: Codes
    contexts: Sequences


def read_people(description: Description, histories: Any, unknown: OnUnknown = REFUSE) -> People:
    """The people whose histories are given.

    Args:
        description: of the model.
        histories: item ids, oldest first, or mappings with `item_id`, `timestamp` in seconds and behaviour attributes;
            a mapping by user id, a list of lists (users are then called 0, 1, ...), or a table with `user_id`,
            `item_id` and what else the training interactions had.
        unknown: what becomes of items that are not in the catalogue.

    Raises:
        UnknownIdError: an item is not in the catalogue and is not to be left out.
        DataError: a history is empty or cannot be read.
    """
    if isinstance(histories, (list, tuple, Mapping)):
        named = isinstance(histories, Mapping)
        names = pl.Series(USER, list(histories) if named else np.arange(len(histories)))
        lists = list(histories.values()) if isinstance(histories, Mapping) else histories
        contexts = _of_lists(description, lists, unknown)
    else:
        given = histories_from_frame(histories, description.behaviours, meaning=description.meaning)
        names, named = given.user_ids.values.rename(USER), True
        codes = unknown.known(description.items, given.item_ids.values, "histories", CATALOGUE)
        contexts = known_only(replace(given.sequences, items=codes[given.sequences.items].astype(np.int32)))
    empty = np.flatnonzero(contexts.lengths == 0)
    if len(empty):
        raise DataError(
            f"the history of user '{names[int(empty[0])]}' is empty",
            fix="Give at least one interaction, or ask the model that was exported, which answers by popularity",
            source="histories",
        )
    nobody = np.full(len(names), -1, dtype=np.int64)
    users = description.users.encode(names).astype(np.int64) if named else nobody
    return People(names, users, contexts)


def attribute_codes(
    description: Description, people: People, given: Any, unknown: OnUnknown = REFUSE
) -> dict[str, Codes]:
    """Codes of each user attribute, int64 `[n]`: what is given, else what the training knew, else missing.

    Args:
        description: of the model.
        people: the users to answer.
        given: user id to {attribute: value}, or a table with `user_id`; None says that a value is not known.
        unknown: what becomes of values that were never seen.

    Raises:
        ConfigurationError: an attribute is none of the model.
        DataError: a value does not fit its attribute.
        UnknownIdError: a value was never seen and is not to be left out.
    """
    codes = {}
    for name, attribute in description.attributes.items():
        known = np.where(people.users >= 0, attribute.codes[np.maximum(people.users, 0)], len(attribute.labels) - 1)
        codes[name] = known.astype(np.int64)
    if given is None:
        return codes
    profiles = read_profiles(description.attributes, given, unknown)
    return profiles.over(codes, rows_among(people.names, profiles.names))


def model_inputs(
    description: Description,
    people: People,
    attributes: dict[str, Codes],
    rows: Codes,
    states: Mapping[str, ValueStates] | None = None,
    as_of: int | None = None,
) -> dict[str, NDArray[Any]]:
    """The inputs of the graph for some people.

    Args:
        description: of the model.
        people: the users to answer.
        attributes: codes of each user attribute of all of them.
        rows: int64 `[b]`, who is answered now; all of them say when things happened, or none does.
        states: the values of items over time, by relation.
        as_of: when items have those that are read, in seconds; None: at the last interaction of each history.

    Returns:
        int64 "items" `[b, l]`, padded on the right with the catalogue size, int64 "lengths" `[b]`, and where the model
        reads them "times" and levels `[b, l]`, attributes of users `[b]`, similar users `[b, k]`, values of items that
        change `[b, l]` and `[b, items]`.
    """
    ((_, contexts),) = alike(people.contexts, rows)
    tails = contexts.tail(description.max_length)
    owner = tails.row_of_position()
    columns = np.arange(len(tails.items)) - tails.offsets[owner]
    shape = (len(tails), int(tails.lengths.max()))

    def padded(values: NDArray[Any], filler: int) -> Codes:
        out = np.full(shape, filler, dtype=np.int64)
        out[owner, columns] = values
        return out

    inputs: dict[str, NDArray[Any]] = {
        "items": padded(tails.items, len(description.items)),
        "lengths": tails.lengths.astype(np.int64),
    }
    if description.times:
        inputs["times"] = np.full(shape, NO_TIMES) if tails.times is None else padded(tails.times, 0)
    for name, edges in description.levels.items():
        values = tails.behaviours.get(name, np.full(len(tails.items), np.nan, dtype=np.float32))
        inputs[LEVELS + module_key(name)] = padded(level(values, edges), 0)
    inputs |= {USERS + module_key(name): codes[rows] for name, codes in attributes.items()}
    for name, state in (states or {}).items():
        times = None if tails.times is None else inputs["times"]
        then, now = state.inputs(inputs["items"], times, inputs["lengths"] - 1, as_of)
        inputs |= {THEN + module_key(name): then, NOW + module_key(name): now}
    index = description.similar_users
    if index is not None:
        anchors = latest_anchors(tails, np.arange(len(tails)), tails.lengths, index.anchors)
        found = index.search(anchors, people.users[rows])
        inputs |= {
            f"{NEIGHBOURS}users": found.users.astype(np.int64),
            f"{NEIGHBOURS}similarity": found.similarity,
            f"{NEIGHBOURS}following": found.following.astype(np.int64),
        }
    return inputs


def _of_lists(description: Description, lists: list[Any] | tuple[Any, ...], unknown: OnUnknown) -> Sequences:
    for items in lists:
        if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
            raise DataError(
                f"{items!r} is no list of item ids",
                fix="Give a list of item ids for each user, oldest first",
                source="histories",
            )
    rows = [list(items) for items in lists]
    offsets = offsets_of([len(row) for row in rows])
    codes = unknown.known(description.items, id_series(ids_of(rows), "histories"), "histories", CATALOGUE)
    contexts = Sequences(offsets, codes.astype(np.int32))
    read = (*description.behaviours, *description.meaning.columns)
    contexts = with_details(contexts, rows, dict.fromkeys(read), description.meaning.values)
    missing = np.full(len(codes), np.nan, dtype=np.float32)
    behaviours = dict.fromkeys(read, missing) | dict(contexts.behaviours)
    return known_only(replace(contexts, behaviours=behaviours, meaning=description.meaning))
