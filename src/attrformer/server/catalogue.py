"""The catalogue as the page shows it: search by title or id, titles, attribute values of an item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from attrformer.columns import ITEM, TITLE

if TYPE_CHECKING:
    from attrformer.recommender.state import ModelState

_VALUES: Final = 6


class Catalogue:
    """The items of a model.

    Args:
        fitted: the model as it is now; a catalogue that has grown needs a new object.
    """

    def __init__(self, fitted: ModelState) -> None:
        self._fitted = fitted
        knowledge = fitted.knowledge
        self._ids = knowledge.item_ids.values.to_list()
        self._all_titles = knowledge.titles
        self._titles = {} if knowledge.titles is None else dict(zip(self._ids, knowledge.titles, strict=True))
        names = pl.Series(self._ids).cast(pl.String)
        texts = names if knowledge.titles is None else pl.Series(knowledge.titles, dtype=pl.String) + " " + names
        self._texts = texts.fill_null("").str.to_lowercase()

    def __len__(self) -> int:
        return len(self._ids)

    def title(self, item: Any) -> str | None:
        """The title of an item by its external id, None where it has none."""
        return self._titles.get(item)

    def search(self, words: str, limit: int, offset: int) -> tuple[int, list[dict[str, Any]]]:
        """Items whose title or id holds every word, those that begin with the first word before the others.

        Args:
            words: separated by spaces, in any case; none finds everything.
            limit: most items to give.
            offset: items to leave out before.

        Returns:
            How many there are, and the items asked for: item_id, title, attributes.
        """
        found = np.ones(len(self), dtype=bool)
        wanted = words.lower().split()
        for word in wanted:
            found &= self._texts.str.contains(word, literal=True).to_numpy()
        codes = np.flatnonzero(found)
        if wanted:
            begins = self._texts.str.starts_with(wanted[0]).to_numpy()[codes]
            codes = np.concatenate([codes[begins], codes[~begins]])
        return len(codes), [self._item(int(code)) for code in codes[offset : offset + limit]]

    def first(self, count: int) -> list[Any]:
        """External ids of the first items."""
        return self._ids[:count]

    def entry(self, code: int) -> dict[str, Any]:
        """item_id and title of the item with a code."""
        return {ITEM: self._ids[code], TITLE: None if self._all_titles is None else self._all_titles[code]}

    def _item(self, code: int) -> dict[str, Any]:
        attributes = {}
        for name, feature in self._fitted.relations.features.items():
            if feature.reads_ids:
                continue
            slots = feature.codes[code][feature.weights[code] > 0][:_VALUES]
            attributes[name] = [feature.labels[value] for value in slots]
        return self.entry(code) | {"attributes": attributes}
