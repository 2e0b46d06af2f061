"""Items like an item: by what the network holds of them, or by one relation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.columns import ITEM, RANK, SCORE, SIMILAR_ITEM
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.recommender.choice import Choice
from attrformer.recommender.choosing import read_choice
from attrformer.recommender.parts import CONTENT
from attrformer.recommender.ranking import best_items, blocks
from attrformer.recommender.shop_rules import compiled
from attrformer.recommender.state import ModelState
from attrformer.recommender.unknown import CATALOGUE, OnUnknown, id_series
from attrformer.rules.request import ShopRules

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SimilarQuery:
    """The arguments of `similar_items`, and how they are read.

    Args:
        items: external ids of the items, or one id.
        k: similar items for each.
        by: "content" or the name of a relation between items.
        candidates: external ids of the items to choose from; the whole catalogue where None.
        exclude: external ids of items that are never among the similar ones.
        on_unknown: what to do with unknown ids: "raise", "warn" or "skip".
        where: condition on attributes of the similar items, a text or a polars expression.
    """

    items: Any
    k: int = 10
    by: str = CONTENT
    candidates: Any = None
    exclude: Any = None
    on_unknown: str = "raise"
    where: Any = None

    def read(self, fitted: ModelState) -> tuple[Codes, Choice]:
        """The items, int64 `[n]`, and what may be similar to them, in codes of the model.

        Args:
            fitted: the model.

        Raises:
            UnknownIdError: an id is unknown and `on_unknown` is "raise".
            DataError: an argument cannot be read.
            ConfigurationError: an argument has a value that cannot be used.
            CheckpointError: the condition reads what the model does not have.
        """
        unknown, ids = OnUnknown(self.on_unknown), fitted.knowledge.item_ids
        codes = unknown.known(ids, id_series(self.items, "items"), "items", CATALOGUE)
        shop = ShopRules.read({"where": self.where})
        choice = read_choice(
            ids,
            None,
            unknown,
            k=self.k,
            hide_seen=False,
            candidates=self.candidates,
            exclude=self.exclude,
            rules=None if shop is None else compiled(shop, fitted, unknown),
        )
        return codes[codes >= 0], choice


def similar_items(fitted: ModelState, items: Codes, by: str, choice: Choice) -> pl.DataFrame:
    """`item_id, similar_item_id, score, rank`, items in the order of the question, the most similar first.

    Args:
        fitted: the model.
        items: int64 `[n]`, item codes.
        by: "content" or the name of a relation between items.
        choice: how many for each, and which may be among them; an item is not similar to itself.

    Raises:
        ConfigurationError: the relation is not known, or the model has no vectors of items.
    """
    closed = choice.closed_to_all(fitted.relations.n_items)
    outside = None if closed is None else torch.from_numpy(closed).to(fitted.device)
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))]
    for block, scores in _scores(fitted, items, by):
        rows = torch.arange(len(block), device=scores.device)
        scores[rows, torch.from_numpy(items[block]).to(scores.device)] = -torch.inf
        if outside is not None:
            scores.masked_fill_(outside, -torch.inf)
        row, chosen = best_items(scores, choice.k)
        counts = torch.bincount(row, minlength=len(block))
        rank = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row] + 1
        parts = (row, chosen, scores[row, chosen], rank)
        asked, *rest = (part.cpu().numpy() for part in parts)
        found.append((items[block[asked]], *rest))
    asked, chosen_items, values, ranks = (np.concatenate(columns) for columns in zip(*found, strict=True))
    ids = fitted.knowledge.item_ids
    columns = {ITEM: ids.decode(asked), SIMILAR_ITEM: ids.decode(chosen_items), SCORE: values, RANK: ranks}
    return pl.DataFrame(columns)


def item_relations(fitted: ModelState) -> list[str]:
    """Names of the relations between items."""
    return [name for name, relation in fitted.relations.items() if relation.relates_items]


def _scores(fitted: ModelState, items: Codes, by: str) -> Iterator[tuple[Codes, Tensor]]:
    """Places in `items` and how similar every item is to those, float32 `[b, items]`; -inf for what is not related."""
    every = blocks(fitted, len(items))
    if by == CONTENT:
        table = torch.nn.functional.normalize(_vectors(fitted), dim=1)
        for block in every:
            yield block, table[torch.from_numpy(items[block]).to(table.device)] @ table.t()
        return
    names = item_relations(fitted)
    # An attribute and an edge table go by their own name as well, where no other relation has it.
    name = next((known for known in (by, f"item_{by}", f"edge_{by}") if known in names), None)
    if name is None:
        raise ConfigurationError(f"by is '{by}'. Use one of: {', '.join([CONTENT, *names])}.")
    for block in every:
        scores = _related(fitted, items[block], name)
        yield block, scores.masked_fill_(scores <= 0, -torch.inf)


@torch.no_grad()
def _vectors(fitted: ModelState) -> Tensor:
    """The item table of the network, float32 `[items, d]`."""
    one = Sequences(np.array([0, 1], dtype=np.int64), np.zeros(1, dtype=np.int32))
    table = fitted.outputs(np.array([-1], dtype=np.int64), one)[1].table.detach().float()
    if table.shape[1] < 2:
        raise ConfigurationError(
            f"The model '{fitted.config.name}' has no vectors of items. Give the name of a relation in by."
        )
    return table


@torch.no_grad()
def _related(fitted: ModelState, items: Codes, name: str) -> Tensor:
    """R(i, j) of some items and every item, float32 `[b, items]`, learned where the network has learned it."""
    network = fitted.network
    if isinstance(network, AttrFormerNetwork):
        learned = network.contributing()[name].related(torch.from_numpy(items).to(fitted.device))
        if learned is not None:
            return learned
    relation = fitted.relations[name]
    return torch.from_numpy(np.stack([relation.row(int(item)) for item in items])).to(fitted.device)
