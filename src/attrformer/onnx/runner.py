"""An exported model, asked in external ids; needs onnxruntime and no torch."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, RANK, SCORE, USER
from attrformer.data.frames import native_like
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.folders import standing_folder
from attrformer.onnx.folder import GRAPH, Description, read_description
from attrformer.onnx.inputs import Codes, People, attribute_codes, model_inputs, read_people
from attrformer.onnx.lists import rules_of
from attrformer.onnx.states import ValueStates
from attrformer.processes import require_own_process
from attrformer.recommender.arguments import point_in_time
from attrformer.recommender.choice import Choice
from attrformer.recommender.choosing import read_choice
from attrformer.recommender.entries import alike, library_of_given
from attrformer.recommender.lists import list_of, marks_of
from attrformer.recommender.unknown import OnUnknown

_ELEMENTS = 1 << 23
_MOST = 256


class OnnxRecommender:
    """An exported model with the ids of its catalogue.

    Args:
        description: ids, attributes and training sequences.
        session: of onnxruntime.
    """

    def __init__(self, description: Description, session: Any) -> None:
        self.description, self._session = description, session
        self._names = {node.name for node in session.get_inputs()}
        self._states = {name: ValueStates(relation) for name, relation in description.changing.items()}

    @classmethod
    def load(cls, folder: Path | str, *, threads: int = 1) -> OnnxRecommender:
        """Reads what `export_model` wrote.

        Args:
            folder: the exported model.
            threads: of onnxruntime.

        Raises:
            CheckpointError: the folder is no exported model, damaged or of another version.
            ConfigurationError: onnxruntime is not installed.
        """
        require_own_process()
        folder = standing_folder(Path(folder))
        description = read_description(folder)
        try:
            onnxruntime = import_module("onnxruntime")
        except ImportError as error:
            raise ConfigurationError(
                "Exported models run in onnxruntime. Install it: pip install 'attrformer[onnx]'."
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        path = folder / GRAPH
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime has a class of its own for each of its errors, and all of them mean that the file is no good.
            raise CheckpointError(f"{path} cannot be read ({error}). Export the model again.") from error
        return cls(description, session)

    def recommend(
        self,
        histories: Any,
        *,
        user_attributes: Any = None,
        k: int = 10,
        hide_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
        as_of: Any = None,
        on_unknown: str = "raise",
        where: Any = None,
        boost: Any = None,
        at_most: Any = None,
        pinned: Any = None,
        item_values: Any = None,
        rules: Any = None,
    ) -> Any:
        """The best items for some histories, as the model answers that was exported.

        Args:
            histories: item ids, oldest first: a mapping by user id, a list of lists (users are then called 0, 1, ...),
                or a table with `user_id`, `item_id` and what else the training interactions had. None may be empty. In
                place of an id stands `{"item_id": ..., "timestamp": seconds, "event": ...}` where more is known.
                Ids of users of the training bring their attributes and leave these users out of those who are similar.
            user_attributes: a mapping of user id to {attribute: value}, or a table with `user_id` and a column for each
                attribute, in place of what the training knew; None says that a value is not known.
            k: items for each user; fewer come back where fewer are left.
            hide_seen: leave out items of the history.
            candidates: external ids of the items to choose from; the whole catalogue by default. A mapping of user id
                to ids, or a table with `user_id` and `item_id`, is for each user; others get everything.
            exclude: external ids of items never to recommend, for everybody or for each user, as `candidates`.
            as_of: at what time items have the values of attributes that change, seconds since 1970, a datetime or ISO
                8601 text. Where None, relations read those at the last interaction of each history, and rules the
                latest ones.
            on_unknown: what to do with unknown item ids and attribute values: "raise" an error, "warn" and leave them
                out, or "skip" them without a warning.
            where: condition on item attributes, "price < 50 and stock > 0", or a polars expression over the columns.
            boost: what is added to scores, {column: {value: amount}} or [(condition, amount), ...]; below 0 buries.
            at_most: items with the same value of a column in one list, {column: count}.
            pinned: items by position, {1: item}, or a list of items for the first positions; `exclude` goes before it.
            item_values: attribute values that have changed, such as stock: a table with `item_id`, or a mapping of item
                id to {column: value}.
            rules: several of these together: `Rules`, a mapping, or a YAML file; what is given besides goes before it.
                Diversity and room for new items read what is not exported.

        Returns:
            A table `user_id, item_id, score, rank`, best first, equal scores in the order of the catalogue.

        Raises:
            UnknownIdError: an id or value is unknown and `on_unknown` is "raise"; the message names it.
            DataError: a history is empty, or an argument cannot be read.
            ConfigurationError: k is below 1, an attribute is none of this model, or a rule cannot be used.
            CheckpointError: a rule reads item attributes, and the model was exported without their values.
        """
        require_own_process()
        unknown, ids = OnUnknown(on_unknown), self.description.items
        people = read_people(self.description, histories, unknown)
        attributes = attribute_codes(self.description, people, user_attributes, unknown)
        time = None if as_of is None else point_in_time(as_of, "as_of")
        given = {"where": where, "boost": boost, "at_most": at_most, "pinned": pinned, "item_values": item_values}
        ruled = rules_of(self.description, unknown, time, rules, **given)
        wanted: dict[str, Any] = {"k": k, "hide_seen": hide_seen, "candidates": candidates, "exclude": exclude}
        library = library_of_given(self.description.frame_library, histories, user_attributes)
        choice = read_choice(ids, people.names, unknown, **wanted, rules=ruled)
        found = native_like(self._answered(people, attributes, choice, time), library)
        choice.warn()
        return found

    def _answered(self, people: People, attributes: dict[str, Codes], choice: Choice, time: int | None) -> pl.DataFrame:
        """`user_id, item_id, score, rank`, and what rules mark."""
        ids = self.description.items
        owners, chosen, values = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        size = max(1, min(_MOST, _ELEMENTS // max(1, len(ids))))
        for start in range(0, len(people.users), size):
            rows = np.arange(start, min(start + size, len(people.users)))
            scores = self._scores(people, attributes, rows, time)
            for row, own in zip(rows.tolist(), scores, strict=True):
                best, scored = list_of(own, choice, row, people.contexts.seen_items(row))
                owners.append(np.full(len(best), row))
                chosen.append(best)
                values.append(scored)
        items = np.concatenate(chosen)
        marks = [pl.Series(name, mark) for name, mark in marks_of(choice, items).items()]
        return _table(people, ids.decode(items), owners, values).with_columns(marks)

    def _scores(
        self, people: People, attributes: dict[str, Codes], rows: Codes, as_of: int | None
    ) -> NDArray[np.float32]:
        scores = np.empty((len(rows), len(self.description.items)), dtype=np.float32)
        for some, _ in alike(people.contexts, rows):
            inputs = model_inputs(self.description, people, attributes, rows[some], self._states, as_of)
            asked = {name: array for name, array in inputs.items() if name in self._names}
            scores[some] = self._session.run(["scores"], asked)[0]
        return scores


def _table(people: People, items: pl.Series, owners: list[Codes], values: list[NDArray[np.float32]]) -> pl.DataFrame:
    owner = np.concatenate(owners)
    ranks = [np.arange(1, len(part) + 1) for part in owners]
    return pl.DataFrame(
        {USER: people.names.gather(owner), ITEM: items, SCORE: np.concatenate(values), RANK: np.concatenate(ranks)}
    )
