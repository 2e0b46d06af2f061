"""What a fitted model answers: recommendations, their reasons, and similar items."""

from __future__ import annotations

from typing import Any

from attrformer.data.frames import native_like
from attrformer.recommender import explaining, ranking
from attrformer.recommender.choice import Choice
from attrformer.recommender.fitted_model import FittedModel
from attrformer.recommender.query import Query
from attrformer.recommender.requests import Request
from attrformer.recommender.similar import SimilarQuery, similar_items


class Answering(FittedModel):
    """The queries of a fitted model, all in external ids."""

    def recommend(
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
        """The best items for known users, for new users with a history, and for new users with attributes only.

        The result holds `users` in their order, then the other users of `histories`, then, where `users` is None, the
        other users of `user_attributes`. A given history is used in place of the one in the model. Users without any
        history get items by popularity, overall and among users with their attributes (`recommender.popularity`).

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
            NotFittedError: before `fit` or `load`.
            UnknownIdError: an id or value is unknown and `on_unknown` is "raise"; the message names it.
            DataError: an argument cannot be read.
            ConfigurationError: histories without names are given together with users, an attribute is none of this
                model, candidates is empty, a rule cannot be read, or another option has a value that cannot be used.
            CheckpointError: a rule reads item attributes, and the model was saved without their values.
        """
        query = Query(users, histories, user_attributes, k, hide_seen, candidates, exclude, on_unknown, as_of)
        query = query.ruled(where, boost, at_most, diversity, new_items, pinned, item_values, rules)
        fitted = self.fitted
        request, choice = query.read(fitted)
        found = ranking.recommend(fitted, request, choice)
        choice.warn()
        return native_like(found, request.library)

    def query(
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
    ) -> tuple[Request, Choice]:
        """The users and the choice of items that `recommend` reads from its arguments, to compute results in blocks.

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
            The users, and what may be recommended to them; `recommender.streaming` takes both.

        Raises:
            NotFittedError: before `fit` or `load`.
            UnknownIdError: an id or value is unknown and `on_unknown` is "raise"; the message names it.
            DataError: an argument cannot be read.
            ConfigurationError: histories without names are given together with users, an attribute is none of this
                model, candidates is empty, a rule cannot be read, or another option has a value that cannot be used.
            CheckpointError: a rule reads item attributes, and the model was saved without their values.
        """
        query = Query(users, histories, user_attributes, k, hide_seen, candidates, exclude, on_unknown, as_of)
        query = query.ruled(where, boost, at_most, diversity, new_items, pinned, item_values, rules)
        return query.read(self.fitted)

    def explain(
        self,
        users: Any = None,
        histories: Any = None,
        *,
        user_attributes: Any = None,
        items: Any = None,
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
        """Why items are ranked as they are: each score as a sum of components, and what stands behind each.

        Args:
            users: external user ids; all users of the model where no argument names anybody.
            histories: item ids, oldest first: a mapping by user id, a list of lists (users are then numbered 0, 1,
                ...), or a table with `user_id`, `item_id` and the other columns of the training interactions. An entry
                of a list may be a mapping of `item_id`, `timestamp` (seconds) and behaviour attributes. An empty list
                is a user without a history. Users of the model keep their attributes.
            user_attributes: a mapping of user id to {attribute: value}, or a table with `user_id` and a column for each
                attribute. A given value replaces the one in the model; None means that the value is unknown.
            items: external ids of the items to explain, whatever else is said about the choice; the k best where None.
                Their rank is that among each other.
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
            A table `user_id, item_id, score, rank, component, contribution, history, value, count, reason`: a row for
            the content score and each relation of each item, or, for people without a history, for popularity and each
            user attribute. `history` is the item of the history that counts most for it in that relation; `value` the
            attribute value that both have in common, the pair of values ("a → b") that go together, or the user's own;
            `count` how many other users did the same; `reason` says it in words. Each is null where it plays no part.
            The frame library is that of `recommend`.

        Raises:
            NotFittedError: before `fit` or `load`.
            UnknownIdError: an id or value is unknown and `on_unknown` is "raise"; the message names it.
            DataError: an argument cannot be read.
            ConfigurationError: histories without names are given together with users, an attribute is none of this
                model, candidates or items is empty, or another option has a value that cannot be used.
        """
        query = Query(users, histories, user_attributes, k, hide_seen, candidates, exclude, on_unknown, as_of)
        query = query.ruled(where, boost, at_most, diversity, new_items, pinned, item_values, rules)
        fitted = self.fitted
        request, choice = query.read(fitted)
        chosen = query.among(fitted, items, "items")
        explained = explaining.explain(fitted, request, choice, chosen, self.config.relations)
        choice.warn()
        return native_like(explained, request.library)

    def similar_items(
        self,
        items: Any,
        *,
        k: int = 10,
        by: str = "content",
        candidates: Any = None,
        exclude: Any = None,
        on_unknown: str = "raise",
        where: Any = None,
    ) -> Any:
        """The items most like some items.

        Args:
            items: external ids of the items, or one id.
            k: similar items for each; fewer come back where a relation names fewer. An item is not among its own.
            by: "content" for the cosine of the vectors that the network holds of the items, or the name of a relation
                between items, whose R(item, other) is then the score: "cooccurrence_near", an edge table
                ("edge_also_bought"), or an attribute ("item_brand") with what was learned of its values.
            candidates: external ids of the items to choose from; the whole catalogue by default.
            exclude: external ids of items that are never among the similar ones.
            on_unknown: what to do with unknown item ids: "raise" an error, "warn" and leave them out, or "skip" them
                without a warning.
            where: condition on attributes of the similar items, "price < 50 and stock > 0", or a polars expression over
                the columns.

        Returns:
            A table `item_id, similar_item_id, score, rank`, most similar first, in the frame library of the dataset.

        Raises:
            NotFittedError: before `fit` or `load`.
            UnknownIdError: an item id is unknown and `on_unknown` is "raise"; the message names it.
            ConfigurationError: k is below 1, candidates is empty, where cannot be read, or the model has no such
                relation or no vectors.
            CheckpointError: where reads item attributes, and the model was saved without their values.
        """
        fitted = self.fitted
        codes, choice = SimilarQuery(items, k, by, candidates, exclude, on_unknown, where).read(fitted)
        found = similar_items(fitted, codes, by, choice)
        choice.warn()
        return native_like(found, fitted.knowledge.frame_library)
