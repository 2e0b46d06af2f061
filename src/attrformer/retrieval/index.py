"""Recommendations from large catalogues without looking at every item."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from attrformer.data.frames import native_like
from attrformer.data.sequences import Sequences
from attrformer.errors import CheckpointError
from attrformer.models.inputs import together
from attrformer.recommender import ranking
from attrformer.recommender.choice import Choice
from attrformer.recommender.likeness import likeness_of
from attrformer.recommender.lists import tell_short
from attrformer.recommender.model import Recommender
from attrformer.recommender.query import Query
from attrformer.recommender.requests import Group, Request
from attrformer.recommender.ruled_lists import listed
from attrformer.recommender.state import ModelState
from attrformer.retrieval.compiled import compiled_contributions
from attrformer.retrieval.content import ContentGraph
from attrformer.retrieval.listing import Asked, best_listed, scored_singly
from attrformer.retrieval.memory import Memory
from attrformer.retrieval.options import IndexOptions, wants_graph
from attrformer.retrieval.readiness import anybody, checked
from attrformer.retrieval.storage import fingerprint, load_index, save_index
from attrformer.rules.selection import pool_size

Codes = NDArray[np.int64]

_TOGETHER = 64
"""Histories that the network reads at a time."""


class Index:
    """A model and a way to find its best items.

    The approximate way asks a graph over the item vectors for the largest content parts and adds up the relations of
    every item, which is quick. Vectors are read of those items only that can still be among the best: the ones the
    graph named, and the ones whose relations make up for a content part that it did not name. What is found differs
    from the exact way only where the graph missed an item. The exact way scores the whole catalogue.

    Args:
        model: a fitted model on the CPU.
        options: how items are found.
        graph: over its item vectors; None for the exact way.
    """

    def __init__(self, model: Recommender, options: IndexOptions, graph: ContentGraph | None) -> None:
        self.model, self.options = model, options
        self._graph, self._fitted = graph, checked(model.fitted)
        self._memory = Memory(self._fitted.relations.n_items)
        # The graph is searched on another core while the relations are added up; by one thread, which may set it up.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="attrformer-graph")
        if graph is not None:
            self._warm_up()

    @property
    def approximate(self) -> bool:
        """Whether the catalogue is searched approximately."""
        return self._graph is not None

    @property
    def memory(self) -> int:
        """Bytes of the graph."""
        return 0 if self._graph is None else self._graph.memory

    @classmethod
    def build(
        cls,
        model: Recommender,
        options: IndexOptions | None = None,
        *,
        threads: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Index:
        """Makes an index of a model.

        Args:
            model: a fitted model on the CPU.
            options: the defaults where None.
            threads: that link items; with one the index is the same each time.
            progress: called with the number of items that are linked.

        Raises:
            NotFittedError: the model is not fitted.
            ConfigurationError: usearch is missing, or the model cannot be searched in this way.
        """
        options = IndexOptions() if options is None else options
        fitted = checked(model.fitted)
        if not wants_graph(fitted, options):
            return cls(model, options, None)
        table = anybody(fitted).table.detach().numpy()
        return cls(model, options, ContentGraph.build(table, options, threads, progress))

    def search(
        self,
        users: Any = None,
        histories: Any = None,
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
        diversity: float | None = None,
        new_items: Any = None,
        pinned: Any = None,
        item_values: Any = None,
        rules: Any = None,
    ) -> Any:
        """The best items for each user, as `Recommender.recommend` returns them, found with the index.

        Where candidates are given, exactly these are scored. Users without a history get items by popularity.

        Args:
            users: external user ids; all users of the model where no argument names anybody.
            histories: item ids, oldest first: a mapping by user id, a list of lists (users are then numbered 0, 1,
                ...), or a table with `user_id`, `item_id` and the other columns of the training interactions. An entry
                of a list may be a mapping of `item_id`, `timestamp` (seconds) and behaviour attributes. An empty list
                is a user without a history. Users of the model keep their attributes.
            user_attributes: a mapping of user id to {attribute: value}, or a table with `user_id` and a column for each
                attribute. A given value replaces the one in the model; None means that the value is unknown.
            k: items for each user; fewer are returned where fewer are left.
            hide_seen: leave out items of the history.
            candidates: external ids of the items to choose from; the whole catalogue by default. A mapping of user id
                to ids, or a table with `user_id` and `item_id`, is for each user; others get everything.
            exclude: external ids of items never to recommend, for everybody or for each user, as `candidates`.
            as_of: at what time items have the values of attributes that change, seconds since 1970, a datetime or ISO
                8601 text. Where None, relations read those at the last interaction of each history, and rules the
                latest ones.
            on_unknown: what to do with unknown item ids and attribute values, and with users who are not in the model
                and have neither a history nor attributes here: "raise" an error, "warn" and leave them out, or "skip"
                them without a warning.
            where: condition on item attributes, "price < 50 and stock > 0", or a polars expression over the columns.
            boost: what is added to scores, {column: {value: amount}} or [(condition, amount), ...]; below 0 buries.
            at_most: items with the same value of a column in one list, {column: count}.
            diversity: from 0, by score alone, to 1, by how unlike items are to those before them.
            new_items: room for new items, {"share": 0.1, "within": "30d"}.
            pinned: items by position, {1: item}, or a list of items for the first positions.
            item_values: attribute values that have changed, such as stock: a table with `item_id`, or a mapping of item
                id to {column: value}.
            rules: several of these together: `Rules`, a mapping, or a YAML file; what is given besides goes before it.

        Returns:
            A table `user_id, item_id, score, rank`, best first, equal scores in the order of the catalogue; in the
            frame library of the histories or attributes where they are a table, else of the dataset.

        Raises:
            CheckpointError: the model has changed since the index was made.
            UnknownIdError: an id or value is unknown and `on_unknown` is "raise"; the message names it.
            DataError: an argument cannot be read.
            ConfigurationError: histories without names are given together with users, an attribute is none of this
                model, candidates is empty, a rule cannot be read, or another option has a value that cannot be used.
        """
        query = Query(users, histories, user_attributes, k, hide_seen, candidates, exclude, on_unknown, as_of)
        query = query.ruled(where, boost, at_most, diversity, new_items, pinned, item_values, rules)
        fitted = self._current()
        request, choice = query.read(fitted)
        if self._graph is None:
            found = ranking.recommend(self._fitted, request, choice)
            choice.warn()
            return native_like(found, request.library)
        size = min(_TOGETHER, together(fitted.config.max_length))
        blocks = [np.arange(start, min(start + size, len(request))) for start in range(0, len(request), size)]
        found = ranking.joined(fitted, request, [self._block(request, block, choice) for block in blocks], choice)
        choice.warn()
        return native_like(found, request.library)

    def search_codes(
        self,
        users: Codes,
        contexts: Sequences,
        choice: Choice,
        values: dict[str, Codes] | None = None,
        as_of: int | None = None,
        positions: Codes | None = None,
    ) -> list[tuple[Codes, NDArray[np.float32]]]:
        """The same for histories in codes of the model.

        Args:
            users: int64 `[b]`, user codes, -1 for people the model does not know.
            contexts: their histories, at least one interaction each.
            choice: what may be recommended.
            values: int64 `[b]` codes by user attribute, where they are not those that the model has of the users.
            as_of: when items have the values of attributes that change, in seconds; None: at the time of each.
            positions: int64 `[b]`, positions in the request, where the choice holds lists for each user.

        Returns:
            For each history item codes and scores, best first.

        Raises:
            CheckpointError: the model has changed since the index was made.
        """
        self._current()
        with torch.inference_mode():
            _, outputs = self._fitted.outputs(users, contexts, values, as_of)
        hidden, table = outputs.hidden[:, 0].numpy(), outputs.table.detach().numpy()
        reorders = choice.rules is not None and choice.rules.reorders
        wanted = max(self.options.content, 2 * (pool_size(choice.k) if reorders else choice.k))
        named: list[Future[Codes] | None] = [None] * len(users)
        if self._graph is not None and not scored_singly(choice):
            named = [self._beside.submit(self._graph.search, one, wanted) for one in hidden]
        found = []
        alike = likeness_of(self._fitted) if choice.rules is not None and choice.rules.diversity else None
        for row in range(len(users)):
            history = contexts.seen_items(row)
            contributions = compiled_contributions(outputs.parts, row)
            sums, place = (
                partial(self._memory.sums, outputs.names, contributions),
                row if positions is None else positions[row],
            )
            asked = Asked(hidden[row], table, contributions, sums, named[row], history, int(place))
            found.append(best_listed(asked, choice, alike))
            tell_short(choice, int(place), len(found[-1][0]), history, self._fitted.relations.n_items)
        return found

    def save(self, folder: Path | str) -> Path:
        """Writes the index; it can be loaded with the same state of the model only.

        Args:
            folder: made where needed; an index that lies there is replaced.

        Returns:
            The folder.

        Raises:
            CheckpointError: the model has changed since the index was made.
        """
        save_index(Path(folder), fingerprint(self._current()), self.options, self._graph)
        return Path(folder)

    @classmethod
    def load(cls, folder: Path | str, model: Recommender) -> Index:
        """Reads what `save` wrote.

        Args:
            folder: of the index.
            model: the model that it was made of.

        Raises:
            CheckpointError: there is no index, it is damaged, or it was made for another state of the model.
            ConfigurationError: usearch is missing, or the model is not on the CPU.
        """
        options, graph = load_index(Path(folder), fingerprint(model.fitted))
        return cls(model, options, graph)

    def _current(self) -> ModelState:
        if self.model.fitted is not self._fitted:
            raise CheckpointError(
                "The model has changed since the index was made. Make it again: Index.build(model), or load the index "
                "where only interactions were added."
            )
        return self._fitted

    def _block(self, request: Request, block: Codes, choice: Choice) -> pl.DataFrame:
        owners, chosen, values = [], [], []
        for group in request.groups(self._fitted, block):
            for place, (items, scores) in zip(group.places, self._group(request, group, choice), strict=True):
                owners.append(np.full(len(items), place))
                chosen.append(items)
                values.append(scores)
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")
        items, scored = np.concatenate(chosen)[order], np.concatenate(values)[order]
        return ranking.answers(self._fitted, request, owner[order], items, scored, choice)

    def _group(self, request: Request, group: Group, choice: Choice) -> list[tuple[Codes, NDArray[np.float32]]]:
        if group.contexts is not None:
            values, places = request.values_at(self._fitted, group.places), group.places
            users = request.users[places]
            return self.search_codes(users, group.contexts, choice, values, request.as_of, places)
        rows, items, scored = listed(self._fitted, choice, ranking.scores_of(self._fitted, request, group), group)
        cuts = np.cumsum(torch.bincount(rows, minlength=len(group.places)).numpy())[:-1]
        return list(zip(np.split(items.numpy(), cuts), np.split(scored.numpy(), cuts), strict=True))

    def _warm_up(self) -> None:
        """Makes what is looked up in the relations, so that the first request does not wait for it."""
        outputs = anybody(self._fitted)
        self._memory.sums(outputs.names, compiled_contributions(outputs.parts, 0))
