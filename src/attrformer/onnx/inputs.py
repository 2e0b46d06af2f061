"""From histories in external ids to the arrays that an exported graph takes; without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import USER
from attrformer.csr import offsets_of
from attrformer.data.attributes import AttributeKind
from attrformer.data.construct import histories_from_frame
from attrformer.data.frames import library_of
from attrformer.data.id_map import IdMap
from attrformer.data.python_values import mixed_series
from attrformer.data.sequences import Sequences
from attrformer.data.tables import Table
from attrformer.errors import ConfigurationError, DataError, UnknownIdError
from attrformer.onnx.folder import Description, UserAttribute
from attrformer.onnx.states import ValueStates
from attrformer.recommender.entries import alike, ids_of, with_details
from attrformer.recommender.unknown import id_series
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.naming import module_key
from attrformer.relations.positions import NO_TIMES, level
from attrformer.relations.user_attribute import first_values
from attrformer.relations.user_index import latest_anchors

Codes = NDArray[np.int64]

USERS, LEVELS, NEIGHBOURS, THEN, NOW = "user_", "level_", "neighbour_", "then_", "now_"
"""What the names of inputs begin with."""

_AS_TEXT: Final = AttributeEncoder(AttributeKind.CATEGORICAL, np.empty(0), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The users to answer.

    Args:
        names: what the answer calls each of them, `[n]`.
        users: int64 `[n]`, rows of the training, -1 for people it did not have.
        contexts: their histories in item codes, none empty.
        library: frame library of the answer.
    """

    names: pl.Series
    users: Codes
    contexts: Sequences
    library: str


def read_people(description: Description, histories: Any) -> People:
    """The people whose histories are given.

    Args:
        description: of the model.
        histories: item ids, oldest first, or mappings with `item_id`, `timestamp` in seconds and behaviour attributes;
            a mapping by user id, a list of lists (users are then called 0, 1, ...), or a table with `user_id`,
            `item_id` and what else the training interactions had.

    Raises:
        UnknownIdError: an item is not in the catalogue.
        DataError: a history is empty or cannot be read.
    """
    if isinstance(histories, (list, tuple, Mapping)):
        named = isinstance(histories, Mapping)
        names = pl.Series(USER, list(histories) if named else np.arange(len(histories)))
        contexts = _of_lists(description, list(histories.values()) if isinstance(histories, Mapping) else histories)
        library = description.frame_library
    else:
        given = histories_from_frame(histories, description.behaviours, meaning=description.meaning)
        names, named, library = given.user_ids.values.rename(USER), True, library_of(histories)
        codes = item_codes(description.items, given.item_ids.values, "histories")
        contexts = replace(given.sequences, items=codes[given.sequences.items].astype(np.int32))
    empty = np.flatnonzero(contexts.lengths == 0)
    if len(empty):
        raise DataError(
            f"the history of user '{names[int(empty[0])]}' is empty",
            fix="Give at least one interaction, or ask the model that was exported, which answers by popularity",
            source="histories",
        )
    nobody = np.full(len(names), -1, dtype=np.int64)
    users = description.users.encode(names).astype(np.int64) if named else nobody
    return People(names, users, contexts, library)


def item_codes(ids: IdMap, items: Any, what: str) -> Codes:
    """Codes of external item ids, int64 `[n]`.

    Raises:
        UnknownIdError: one is not in the catalogue; the message names it.
    """
    series = id_series(items, what)
    codes = ids.encode(series).astype(np.int64)
    if (codes < 0).any():
        first = series[int(np.flatnonzero(codes < 0)[0])]
        raise UnknownIdError(f"{what}: '{first}' is not in the catalogue of this model. Give known ids.")
    return codes


def attribute_codes(description: Description, people: People, given: Mapping[Any, Any] | None) -> dict[str, Codes]:
    """Codes of each user attribute, int64 `[n]`: what is given, else what the training knew, else missing.

    Args:
        description: of the model.
        people: the users to answer.
        given: user id to {attribute: value}; None says that a value is not known.

    Raises:
        ConfigurationError: an attribute is none of the model.
        DataError: a value does not fit its attribute.
        UnknownIdError: a value was never seen.
    """
    said = [dict((given or {}).get(name, {})) for name in people.names]
    wrong = [name for one in said for name in one if name not in description.attributes]
    if wrong:
        raise ConfigurationError(
            f"user_attributes names '{wrong[0]}', which is no user attribute of this model. "
            f"It has: {', '.join(description.attributes) or 'none'}."
        )
    codes = {}
    for name, attribute in description.attributes.items():
        missing = len(attribute.labels) - 1
        known = np.where(people.users >= 0, attribute.codes[np.maximum(people.users, 0)], missing)
        rows = [row for row, one in enumerate(said) if name in one]
        if rows:
            known[rows] = _value_codes(name, attribute, [said[row][name] for row in rows])
        codes[name] = known.astype(np.int64)
    return codes


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


def _of_lists(description: Description, lists: list[Any] | tuple[Any, ...]) -> Sequences:
    for items in lists:
        if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
            raise DataError(
                f"{items!r} is no list of item ids",
                fix="Give a list of item ids for each user, oldest first",
                source="histories",
            )
    rows = [list(items) for items in lists]
    offsets = offsets_of([len(row) for row in rows])
    codes = item_codes(description.items, ids_of(rows), "histories")
    contexts = Sequences(offsets, codes.astype(np.int32))
    read = (*description.behaviours, *description.meaning.columns)
    contexts = with_details(contexts, rows, dict.fromkeys(read), description.meaning.values)
    unknown = np.full(len(codes), np.nan, dtype=np.float32)
    behaviours = dict.fromkeys(read, unknown) | dict(contexts.behaviours)
    return replace(contexts, behaviours=behaviours, meaning=description.meaning)


def _value_codes(name: str, attribute: UserAttribute, values: list[Any]) -> Codes:
    encoder, labels = attribute.encoder or _AS_TEXT, attribute.labels[:-1]
    source = "user_attributes"
    table = Table(pl.DataFrame([mixed_series(name, values)]), source)
    rows = np.arange(len(values), dtype=np.int32)
    read = encoder.read(table, name, rows, len(values))
    unseen = encoder.unseen(read, labels)
    if unseen:
        raise UnknownIdError(f"{source}, '{name}': '{unseen[0]}' is no value of this model. Give a known one, or None.")
    return first_values(*encoder.codes(read, labels), len(values), len(labels))
