"""A model over the small shop with every kind of relation, its weights shaken and not trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import torch
from tests.models.builders import SMALL as NETWORK
from tests.models.builders import network_of
from tests.relations.builders import SMALL as RELATIONS
from tests.relations.builders import shop

from attrformer.data.dataset import Dataset
from attrformer.recommender import Config, Recommender
from attrformer.recommender.state import ModelMetadata, ModelState
from attrformer.relations.build import build_relations
from attrformer.training.checkpoint import parameters_of


def model_of(
    dataset: Dataset | None = None, *, sparse: bool = True, one_of_a_kind: bool = False, **options: Any
) -> Recommender:
    """A model with rows of 6 entries where they are sparse, or whole ones; with one counted relation where asked."""
    dataset = shop(users=60, items=80) if dataset is None else dataset
    config = replace(RELATIONS, dense_items=0 if sparse else 6000, top_k=6)
    if one_of_a_kind:
        off = replace(config.cooccurrence_next, enabled=False)
        config = replace(config, cooccurrence_wide=off, cooccurrence_next=off, indirect=False)
    relations = build_relations(dataset, dataset.sequences, config, 0).for_inference()
    network = network_of(relations, **options)
    knowledge = ModelMetadata(
        dataset="small",
        user_ids=dataset.user_ids,
        item_ids=dataset.item_ids,
        titles=None,
        histories=dataset.sequences,
        frame_library="polars",
        edges=tuple(dataset.item_relations),
        dropout=0.0,
        precision="float32",
    )
    shape = replace(NETWORK, **options)
    model = Recommender(Config(model=shape, relations=config))
    model._fitted = ModelState(shape, relations, parameters_of(network), knowledge, torch.device("cpu"))
    return model


def histories_of(model: Recommender, users: int, longest: int = 50) -> dict[str, list[str]]:
    """External histories of the first users."""
    knowledge = model.fitted.knowledge
    ids = knowledge.item_ids.to_list()
    rows = [knowledge.histories.row(user)[:longest] for user in range(users)]
    return {f"new-{user}": [ids[code] for code in row] for user, row in enumerate(rows)}


def assert_same_answers(found: pl.DataFrame, right: pl.DataFrame, tolerance: float = 1e-4) -> None:
    """The same items in the same order, but for items whose scores rounding cannot tell apart."""
    assert found.columns == right.columns and len(found) == len(right)
    for name in ("user_id", "rank"):
        assert found[name].to_list() == right[name].to_list()
    assert float((found["score"] - right["score"]).abs().max()) <= tolerance  # type: ignore[arg-type]
    differ = found.with_columns(right["item_id"].alias("other")).filter(pl.col("item_id") != pl.col("other"))
    assert len(differ) <= len(found) // 50


def grown(model: Recommender) -> Recommender:
    """The same model with three items more, of which nothing is known."""
    attributes = {name: [None] * 3 for name in model.fitted.relations.item_columns}
    new = pl.DataFrame({"item_id": ["new-0", "new-1", "new-2"], **attributes})
    assert any(rows.dense is not None for rows in model.fitted.relations.rows.values())
    return model.add_items(new)
