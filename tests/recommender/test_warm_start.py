from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tests.support.recommenders import small_config

from attrformer.columns import ITEM, USER
from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.registry import build_network
from attrformer.recommender import AttrFormer, Config, Recommender
from attrformer.recommender.warm_start import carry_over
from attrformer.relations.build import build_relations
from attrformer.relations.relation_set import RelationSet
from attrformer.training.checkpoint import parameters_of

pytestmark = pytest.mark.slow

OLD_ITEMS = 100


@pytest.fixture(scope="module")
def tables() -> Any:
    return make_sample(0, users=150, items=120)


def dataset_of(tables: Any, items: int = 120, *columns: str) -> Dataset:
    """The first items only, their interactions, and some columns of the items table."""
    table = tables.items.head(items)
    log = tables.interactions.filter(pl.col(ITEM).is_in(table[ITEM].to_list()))
    chosen = table.select(ITEM, *columns) if columns else table
    return Dataset.from_frames(log, chosen, tables.users, name="shop", catalogue="all")


@pytest.fixture(scope="module")
def start(tables: Any) -> AttrFormer:
    config = small_config("training.epochs=2", "data.split=leave-one-out")
    return AttrFormer(config).fit(dataset_of(tables, OLD_ITEMS), progress=False)


def fresh(dataset: Dataset, config: Config, seed: int = 1) -> tuple[AttrFormerNetwork, RelationSet]:
    relations = build_relations(dataset, config.data.split_of(dataset).train, config.relations, config.seed)
    torch.manual_seed(seed)
    network = build_network(relations, config.model, 0.0)
    assert isinstance(network, AttrFormerNetwork)
    return network, relations


def test_the_same_data_give_the_same_weights(tables: Any, start: AttrFormer) -> None:
    dataset = dataset_of(tables, OLD_ITEMS)
    network, relations = fresh(dataset, start.config)
    carry_over(start.fitted, network, relations, dataset.item_ids)
    wanted = parameters_of(start.fitted.network)
    found = parameters_of(network)
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        assert torch.equal(value, wanted[name]), name


def test_items_and_values_are_found_by_what_they_are(tables: Any, start: AttrFormer) -> None:
    """In a catalogue that begins with other items, so that every code has moved."""
    renamed = tables.items.with_columns(
        pl.when(pl.int_range(pl.len()) >= OLD_ITEMS).then(pl.lit("a-") + pl.col(ITEM)).otherwise(ITEM).alias(ITEM)
    )
    names = dict(zip(tables.items[ITEM], renamed[ITEM], strict=True))
    log = tables.interactions.with_columns(pl.col(ITEM).replace(names))
    users = tables.users.with_columns(pl.col("age_band").replace("65+", "0-17"))
    dataset = Dataset.from_frames(log, renamed, users, name="shop", catalogue="all")
    network, relations = fresh(dataset, start.config)
    untouched = {name: value.clone() for name, value in parameters_of(network).items()}
    carry_over(start.fitted, network, relations, dataset.item_ids)
    found, old = parameters_of(network), parameters_of(start.fitted.network)
    known, before = start.fitted.knowledge.item_ids.to_list(), start.fitted.relations
    moved = 0
    for code, item in enumerate(dataset.item_ids.to_list()):
        trained = item in known and before.popularity[known.index(item)] > 0 and relations.popularity[code] > 0
        source = old["table.item"][known.index(item)] if trained else untouched["table.item"][code]
        assert torch.equal(found["table.item"][code], source), item
        moved += trained and known.index(item) != code
    assert moved > 80
    brand = relations.features["brand"].labels
    assert set(before.features["brand"].labels) & set(brand)
    for part in ("table.attribute.item_brand", "relations.item_brand.log_diagonal", "relations.item_brand.right"):
        for code, label in enumerate(brand):
            there = label in before.features["brand"].labels
            source = old[part][before.features["brand"].labels.index(label)] if there else untouched[part][code]
            assert torch.equal(found[part][code], source), (part, label)
    table = found["relations.similar_users.user_relation.user_age_band"]
    ages, old_ages = relations.users["age_band"].labels, before.users["age_band"].labels
    assert ages == ("0-17", *old_ages[:4], "")
    places = [*range(1, 5), 5]
    olds = [*range(4), 5]
    assert torch.equal(
        table[np.ix_(places, places)], old["relations.similar_users.user_relation.user_age_band"][np.ix_(olds, olds)]
    )
    assert not table[0].any() and not table[:, 0].any()


@pytest.mark.parametrize(
    ("before", "after"), [(("brand",), ("brand", "price")), (("price", "brand"), ("category", "brand"))]
)
def test_heads_are_found_by_their_relation(tables: Any, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    config = small_config("training.epochs=1")
    model = AttrFormer(config).fit(dataset_of(tables, OLD_ITEMS, *before), progress=False)
    dataset = dataset_of(tables, OLD_ITEMS, *after)
    network, relations = fresh(dataset, config)
    untouched = {name: value.clone() for name, value in parameters_of(network).items()}
    carry_over(model.fitted, network, relations, dataset.item_ids)
    assert isinstance(model.fitted.network, AttrFormerNetwork)
    old_heads, heads = model.fitted.network.head_names, network.head_names
    assert old_heads != heads and "item_brand" in set(old_heads) & set(heads)
    options = network.config
    width = options.width // options.heads
    found, old = parameters_of(network), parameters_of(model.fitted.network)
    name = "layers.0.attention.value.weight"
    for number, head in enumerate(heads):
        place = (options.heads + number) * width
        if head in old_heads:
            source = old[name][(options.heads + old_heads.index(head)) * width :][:width]
        else:
            source = untouched[name][place : place + width]
        assert torch.equal(found[name][place : place + width], source), head
    output = "layers.0.attention.output.weight"
    ordinary = options.heads * width
    assert torch.equal(found[output][:, :ordinary], old[output][:, :ordinary])
    assert torch.equal(found["layers.0.feed.0.weight"], old["layers.0.feed.0.weight"])


def test_training_goes_on_where_the_other_model_stopped(tables: Any, start: AttrFormer, tmp_path: Path) -> None:
    dataset = dataset_of(tables)
    config = small_config("training.epochs=1", "training.average=0")
    for name, warm in (("cold", None), ("warm", start)):
        AttrFormer(config).fit(dataset, run=tmp_path / name, progress=False, warm_start=warm)
    losses = {
        name: json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[0])["loss"]
        for name in ("cold", "warm")
    }
    assert losses["warm"] < losses["cold"] - 0.05
    assert len(start.fitted.knowledge.item_ids) == OLD_ITEMS
    assert json.loads((tmp_path / "warm" / "run.json").read_text())["warm_start"] is True
    assert "warm_start" not in json.loads((tmp_path / "cold" / "run.json").read_text())


def test_a_grown_and_updated_model_can_be_gone_on_from(tables: Any, start: AttrFormer, tmp_path: Path) -> None:
    start.save(tmp_path)
    model = AttrFormer.load(tmp_path, device="cpu").add_items(tables.items.tail(20))
    model.update(tables.interactions.filter(pl.col(ITEM).is_in(tables.items.tail(20)[ITEM].to_list())))
    again = AttrFormer(small_config("training.epochs=1")).fit(dataset_of(tables), progress=False, warm_start=model)
    assert again.recommend(["user-0001"], k=3)[USER].to_list() == ["user-0001"] * 3
    own = parameters_of(again.fitted.network)["table.item"]
    touched = again.fitted.relations.popularity > 0
    # What began at zero has been trained.
    assert bool(own[OLD_ITEMS:][touched[OLD_ITEMS:]].any(1).all()) and touched[OLD_ITEMS:].sum() > 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("model.width=32",), r"has model\.width=16\. Give the same options"),
        (("model.layers=2", "model.low_rank=2"), r"has model\.layers=1, model\.low_rank=8\."),
    ],
)
def test_options_that_do_not_fit(tables: Any, start: AttrFormer, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        AttrFormer(small_config(*options)).fit(dataset_of(tables), progress=False, warm_start=start)


def test_options_that_only_say_how_to_begin(tables: Any, start: AttrFormer) -> None:
    config = small_config(
        "training.epochs=1", "model.dropout=0.1", "model.epsilon=0.1", "training.learning_rate=0.0005"
    )
    AttrFormer(config).fit(dataset_of(tables), progress=False, warm_start=start)


def test_other_models_do_not_go_on(tables: Any, start: AttrFormer) -> None:
    config = override(Config(), ["model.name=sasrec", "model.width=8", "training.epochs=1", "training.threads=1"])
    with pytest.raises(ConfigurationError, match="Only AttrFormer goes on from another model, and this is 'sasrec'"):
        Recommender(config).fit(dataset_of(tables), progress=False, warm_start=start)
    other = Recommender(config).fit(dataset_of(tables), progress=False)
    with pytest.raises(ConfigurationError, match="and this is 'sasrec'"):
        AttrFormer(small_config()).fit(dataset_of(tables), progress=False, warm_start=other)


def test_a_run_is_resumed_as_it_began(tables: Any, start: AttrFormer, tmp_path: Path) -> None:
    dataset = dataset_of(tables, OLD_ITEMS)
    once, twice = small_config("training.epochs=1"), small_config("training.epochs=2")
    AttrFormer(once).fit(dataset, run=tmp_path / "warm", progress=False, warm_start=start)
    AttrFormer(once).fit(dataset, run=tmp_path / "cold", progress=False)
    with pytest.raises(ConfigurationError, match=r"began from nothing\. Resume it with no warm start"):
        AttrFormer(twice).fit(dataset, run=tmp_path / "cold", resume=True, progress=False, warm_start=start)
    # The checkpoint holds all that is needed.
    on = AttrFormer(twice).fit(dataset, run=tmp_path / "warm", resume=True, progress=False)
    whole = AttrFormer(twice).fit(dataset, progress=False, warm_start=start)
    assert on.recommend(k=5).equals(whole.recommend(k=5))
    # Without a checkpoint the model is needed again.
    (tmp_path / "warm" / "checkpoint" / "state.json").unlink()
    with pytest.raises(ConfigurationError, match=r"began from another model\. Resume it with the same warm start"):
        AttrFormer(twice).fit(dataset, run=tmp_path / "warm", resume=True, progress=False)
