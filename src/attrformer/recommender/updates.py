"""Interactions that come in after training: they are counted at once, and nothing is learned from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from attrformer.columns import TIMESTAMP, USER
from attrformer.csr import offsets_of
from attrformer.data.construct import histories_from_frame
from attrformer.data.id_map import IdMap
from attrformer.data.meaning_options import check_weights
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.sequences import Sequences
from attrformer.data.tables import id_column, require_distinct
from attrformer.errors import DataError, UnknownIdError
from attrformer.models.attrformer import OWN_EMBEDDING, AttrFormerNetwork
from attrformer.recommender.config import Config
from attrformer.recommender.incoming import in_type_of, open_incoming, read_attributes
from attrformer.recommender.known import check_action, without_known
from attrformer.recommender.state import ModelState
from attrformer.relations.base import Update
from attrformer.relations.scratch import within_memory
from attrformer.relations.user_attribute import first_values
from attrformer.training.checkpoint import parameters_of

SOURCE: Final = "interactions"
NAMED: Final = 5

Codes = Mapping[str, NDArray[np.int64]]


def with_interactions(
    fitted: ModelState,
    config: Config,
    interactions: Any,
    users: Any,
    on_known: str = "warn",
    columns: Mapping[str, str] | None = None,
) -> ModelState:
    """The model with longer histories, and with every relation that is counted in what users did counted anew.

    Everything that the model knows is counted, what its split had held back for validation and test included. An item
    without training interactions keeps an own embedding of zero until it is trained on.

    Args:
        fitted: the model.
        config: its options.
        interactions: a table as in training, new rows only, of users and items that may be new to the histories.
        users: a table with `user_id` and a column for each user attribute that the model reads, or None. A row about
            a known user replaces what was known; new users without a row have no attributes.
        on_known: what becomes of interactions that the histories hold already, as `known.without_known` says.
        columns: canonical column name to the user's own.

    Raises:
        ConfigurationError: `on_known` has an unknown value.
        DataError: a table cannot be read, a weight is not above 0, times are missing where the histories have them, or
            a user in `users` has no interaction.
        UnknownIdError: an item is not in the catalogue.
        CheckpointError: the model was saved by a version that did not keep how attributes of users are read.
    """
    check_action(on_known)
    knowledge = fitted.knowledge
    known = knowledge.histories
    given = histories_from_frame(interactions, known.behaviours, SOURCE, known.meaning, columns or {})
    _require_meaning(given)
    check_weights(given)
    items = _item_codes(knowledge.item_ids, given)
    names = in_type_of(knowledge.user_ids, given.user_ids.values, SOURCE, USER)
    new = names.filter(pl.Series(knowledge.user_ids.encode(names) < 0)).unique(maintain_order=True)
    user_ids = IdMap(pl.concat([knowledge.user_ids.values, new]))
    fresh = replace(given.sequences, items=items[given.sequences.items])
    fresh, rows = without_known(knowledge.histories, fresh, user_ids.encode(names).astype(np.int64), on_known, SOURCE)
    histories = appended(knowledge.histories, fresh, rows, len(user_ids))
    codes = {
        name: np.concatenate([user.codes, np.full(len(new), len(user.labels) - 1, dtype=np.int64)])
        for name, user in fitted.relations.users.items()
    }
    if users is not None:
        _read_users(fitted, user_ids, users, codes, columns)
    now = Update(histories, fitted.relations.n_items, config.model.reads(config.relations), codes, {})
    with within_memory(config.relations.memory):
        relations = fitted.relations.updated(now)
    more = knowledge.updated + len(fresh.items)
    return fitted.rebuilt(
        relations, replace(knowledge, user_ids=user_ids, histories=histories, updated=more), _trained_only(fitted)
    )


def _require_meaning(given: PlainDataset) -> None:
    """Refuses interactions of which nothing says whether they count, as training told them by columns of theirs.

    Raises:
        DataError: a column that the meaning reads is not there.
    """
    sequences = given.sequences
    for column in sequences.meaning.columns:
        if column not in sequences.behaviours:
            raise DataError(
                f"the column is missing, and the model was trained with {sequences.meaning.text}",
                fix="Give the column; where a value is not known it may be empty, but for a weight",
                source=SOURCE,
                column=column,
            )


def appended(old: Sequences, new: Sequences, rows: NDArray[np.int64], count: int) -> Sequences:
    """Histories with further interactions, each user's in order of time; of equal times the earlier known come first.

    Args:
        old: histories, their rows are users 0, 1, ...
        new: further interactions, oldest first.
        rows: int64, the user of each row of `new`.
        count: users in all.

    Raises:
        DataError: the histories have times and the further interactions do not.
    """
    times = None
    if old.times is not None:
        if new.times is None:
            raise DataError(
                "the histories of this model have times and the table has none",
                fix=f"Give a column '{TIMESTAMP}'",
                source=SOURCE,
                column=TIMESTAMP,
            )
        times = np.concatenate([old.times, new.times])
    owner = np.concatenate([old.row_of_position(), rows[new.row_of_position()]])
    order = np.argsort(owner, kind="stable") if times is None else np.lexsort((times, owner))
    missing = np.full(len(new.items), np.nan, dtype=np.float32)
    both = Sequences(
        np.empty(0, dtype=np.int64),
        np.concatenate([old.items, new.items]),
        times,
        {name: np.concatenate([known, new.behaviours.get(name, missing)]) for name, known in old.behaviours.items()},
        old.meaning,
    )
    return both.select(order, offsets_of(np.bincount(owner, minlength=count)))


def _item_codes(known: IdMap, given: PlainDataset) -> NDArray[np.int32]:
    codes = known.encode(given.item_ids.values)
    unknown = given.item_ids.decode(np.flatnonzero(codes < 0))
    if len(unknown):
        named = ", ".join(f"'{item}'" for item in unknown[:NAMED])
        raise UnknownIdError(
            f"interactions: {named}{', ...' if len(unknown) > NAMED else ''} not in the catalogue of this model. "
            "Add new items first (add_items), or leave their interactions out."
        )
    return codes


def _read_users(
    fitted: ModelState,
    user_ids: IdMap,
    users: Any,
    codes: dict[str, NDArray[np.int64]],
    columns: Mapping[str, str] | None,
) -> None:
    """Puts the attribute values of a table of users into `codes`."""
    relations = fitted.relations.users
    table = open_incoming(users, "users", USER, relations, columns=columns)
    names = in_type_of(user_ids, id_column(table, USER), table.source, USER)
    require_distinct(table, names.rename(USER))
    rows = user_ids.encode(names)
    idle = np.flatnonzero(rows < 0)
    if len(idle):
        raise DataError(
            f"'{names[int(idle[0])]}' has no interaction, neither here nor before",
            fix="Leave the row out; people without a history are answered by their attributes as they come",
            source=table.source,
            column=USER,
            row=int(idle[0]),
        )
    encoders = {name: user.encoder for name, user in relations.items()}
    numbered = np.arange(len(rows), dtype=np.int32)
    for name, attribute in read_attributes(table, encoders, numbered, len(rows)).items():
        user, encoder = relations[name], encoders[name]
        assert encoder is not None
        owner, values = encoder.codes(attribute, user.labels[:-1])
        codes[name][rows] = first_values(owner, values, len(rows), len(user.labels) - 1)


def _trained_only(fitted: ModelState) -> dict[str, torch.Tensor]:
    """Own embeddings without those of items that were never trained on, which older saved models hold."""
    if not isinstance(fitted.network, AttrFormerNetwork):
        return {}
    own = parameters_of(fitted.network)[OWN_EMBEDDING]
    touched = torch.from_numpy(fitted.relations.popularity > 0).to(own.device)
    return {OWN_EMBEDDING: own * touched.unsqueeze(1)}
