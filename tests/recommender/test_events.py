"""Models of a shop whose interactions are events: trained, judged, explained, saved, grown, served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tests.relations.builders import relations_of, shop, with_events
from tests.support.event_shop import VIEWED, event_log, event_shop, returning_shop
from tests.support.recommenders import small_config

from attrformer.config import to_dict
from attrformer.data.dataset import Dataset
from attrformer.data.meaning import Meaning
from attrformer.data.splits import leave_one_out
from attrformer.errors import ConfigurationError, DataError
from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.models.inputs import InputMaker
from attrformer.models.registry import build_network
from attrformer.recommender import AttrFormer, Config, Recommender
from attrformer.recommender.config import LATER, changed_options
from attrformer.recommender.warm_start import carry_over
from attrformer.relations.build import build_relations

PURCHASES, RETURNS = "data.targets=event=purchase", "data.negative=event=return"


def config_of(*more: str) -> Config:
    return small_config("relations.similar_users=false", "training.epochs=4", *more)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return event_shop(returns=True)


@pytest.fixture(scope="module")
def model(data: Dataset) -> AttrFormer:
    return AttrFormer(config_of(PURCHASES, RETURNS, "data.weight=quantity")).fit(data, progress=False)


def ndcg(model: Recommender, data: Dataset, **split: Any) -> float:
    return model.evaluate(data, part="validation", **split).values()["seen=hidden"]["NDCG@10"]


@pytest.mark.slow
def test_predicting_purchases_from_all_events_pays_and_rows_by_event_pay_more() -> None:
    data = event_shop()
    config = config_of(PURCHASES)
    told = config.data.filtered(data)
    split = config.data.split_of(told)
    alike = replace(split, train=replace(split.train, meaning=Meaning(told.sequences.meaning.values)))
    everything = Recommender(config_of("relations.behaviour_rows=[]")).fit(data, split=alike, progress=False)
    targets = Recommender(config_of(PURCHASES, "relations.behaviour_rows=[]")).fit(data, progress=False)
    rows = Recommender(config).fit(data, progress=False)
    figures = [ndcg(everything, data, split=split), ndcg(targets, data), ndcg(rows, data)]
    assert figures[0] + 0.05 < figures[1] and figures[1] + 0.1 < figures[2], figures
    strengths = rows.relation_strengths()
    assert strengths["after_event=view"] > 2 * strengths["after_event=browse"]


@pytest.mark.slow
def test_what_is_returned_pushes_down_what_goes_with_it() -> None:
    data, figures = returning_shop(seed=2), []
    for options in ([], [RETURNS]):
        model = Recommender(config_of(PURCHASES, "training.epochs=30", "seed=2", *options)).fit(data, progress=False)
        parts = [model.evaluate(data, part=part).values()["seen=hidden"]["NDCG@10"] for part in ("validation", "test")]
        figures.append(float(np.mean(parts)))
    assert figures[0] + 0.01 < figures[1], figures
    strengths = model.relation_strengths()
    assert strengths["negative"] > 0.5 * strengths["cooccurrence_near"]


def test_the_protocol_says_what_is_predicted(model: AttrFormer, data: Dataset) -> None:
    evaluation = model.evaluate(data)
    told = "leave-one-out (targets: event=purchase, negative: event=return, weight: quantity)"
    assert evaluation.protocol.split == told
    items = data.item_ids.decode(evaluation.items).to_numpy()
    assert (items >= VIEWED).all() and len(items) > 100


def test_viewed_items_are_answered_and_bought_ones_are_not(model: AttrFormer) -> None:
    answers = model.recommend(["u0"], k=500)
    log = event_log(returns=True).filter(pl.col("user_id") == "u0")
    viewed = set(log.filter(pl.col("event").is_in(["view", "browse"]))["item_id"])
    bought = set(log.filter(pl.col("event").is_in(["purchase", "return"]))["item_id"])
    assert viewed - bought <= set(answers["item_id"]) and not bought & set(answers["item_id"])
    nameless = model.recommend(histories=[[60, 61]], k=500)["item_id"]
    assert not {60, 61} & set(nameless)
    seen = [{"item_id": 60, "event": "purchase"}, {"item_id": 61, "event": "view"}]
    told = model.recommend(histories=[seen], k=500)["item_id"]
    assert 60 not in told and 61 in told


def test_parts_sum_to_the_score_and_returns_push_down(model: AttrFormer) -> None:
    parts = model.explain(k=4)
    sums = parts.group_by("user_id", "item_id", maintain_order=True).agg(
        pl.col("contribution").sum(), pl.col("score").first()
    )
    np.testing.assert_allclose(sums["contribution"], sums["score"], atol=1e-4)
    against = parts.filter(pl.col("component") == "negative")
    assert len(against) and (against["contribution"] <= 0).all() and (against["contribution"] < 0).any()
    reasons = set(parts["reason"].drop_nulls())
    assert any(reason.startswith("Often bought after “") and reason.endswith("” was viewed") for reason in reasons)
    assert any("whose event was “return”, which counts against it" in reason for reason in reasons)


def test_a_return_lowers_the_score_of_the_item(model: AttrFormer) -> None:
    def part(event: str) -> float:
        history = [{"item_id": 3, "event": "view"}, {"item_id": 70, "event": event}]
        found = model.explain(histories=[history], items=[70]).filter(pl.col("component") == "negative")
        return float(found["contribution"][0])

    assert part("return") < -0.01 and part("purchase") == 0.0


def test_events_of_requests_are_read_alike_from_lists_and_tables(model: AttrFormer) -> None:
    history = [{"item_id": 3, "event": "view"}, {"item_id": 70, "event": None}, {"item_id": 4, "event": "browse"}]
    lists = model.recommend(histories={"x": history}, k=5)
    frame = pl.DataFrame(history).with_columns(user_id=pl.lit("x"))
    assert model.recommend(histories=frame, k=5).equals(lists)
    other = model.recommend(histories={"x": [{**entry, "event": "view"} for entry in history]}, k=5)
    assert not other["score"].equals(lists["score"])
    wrong = [{"item_id": 3, "event": "steal"}]
    with pytest.raises(DataError, match=r"the event 'steal' is no value that training knew\. Give one of browse, pu"):
        model.recommend(histories=[wrong])
    with pytest.raises(DataError, match="'steal' is no value that training knew"):
        model.recommend(histories=pl.DataFrame(wrong).with_columns(user_id=pl.lit("x")))
    listed = pl.DataFrame({"user_id": ["x"], "item_id": [3], "event": [["view"]]})
    with pytest.raises(DataError, match=r"column 'event': values of type List\(String\) are no categories"):
        model.recommend(histories=listed)
    with pytest.raises(DataError, match=r"the quantity 1e\+40 is too large"):
        model.recommend(histories=[[{"item_id": 3, "quantity": 1e40}]])


@pytest.mark.slow
def test_saved_models_answer_the_same(model: AttrFormer, data: Dataset, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = AttrFormer.load(tmp_path / "model", device="cpu")
    assert again.fitted.knowledge.histories.meaning == model.fitted.knowledge.histories.meaning
    assert again.recommend(k=3).equals(model.recommend(k=3))
    assert again.explain(["u1"], k=3).equals(model.explain(["u1"], k=3))
    assert again.evaluate(data).values() == model.evaluate(data).values()


@pytest.mark.slow
def test_a_saved_dataset_trains_the_same_model(data: Dataset, tmp_path: Path) -> None:
    config = config_of(PURCHASES, "training.epochs=1")
    first = AttrFormer(config).fit(data, progress=False)
    second = AttrFormer(config).fit(Dataset.load(data.save(tmp_path / "data")), progress=False)
    assert first.recommend(k=3).equals(second.recommend(k=3))


@pytest.mark.slow
def test_updates_bring_events(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    grown = AttrFormer.load(tmp_path / "model", device="cpu")
    late = {"user_id": "u0", "timestamp": 2_000_000_000, "quantity": 1.0}
    grown.update(pl.DataFrame([{**late, "item_id": 9, "event": "view"}, {**late, "item_id": 99, "event": "purchase"}]))
    assert grown.fitted.relations.popularity[99] == model.fitted.knowledge.histories.popularity(120)[99] + 1
    assert 99 not in grown.recommend(["u0"], k=500)["item_id"].to_list()
    assert 9 in grown.recommend(["u0"], k=500)["item_id"].to_list()
    with pytest.raises(DataError, match="'gift' is no value that training knew"):
        grown.update(pl.DataFrame([{**late, "item_id": 9, "event": "gift"}]))
    with pytest.raises(DataError, match="the weight 0, which is not above 0"):
        grown.update(pl.DataFrame([{**late, "item_id": 9, "event": "view", "quantity": 0.0}]))
    with pytest.raises(
        DataError, match="column 'event': the column is missing, and the model was trained with targets"
    ):
        grown.update(pl.DataFrame([{**late, "item_id": 9}]))


def test_a_split_that_knows_of_no_targets_is_refused(model: AttrFormer, data: Dataset) -> None:
    split = leave_one_out(data)
    with pytest.raises(ConfigurationError, match=r"data\.targets, data\.negative, data\.weight is set, and the split"):
        AttrFormer(model.config).fit(data, split=split)
    with pytest.raises(ConfigurationError, match="the split was made of data that do not know"):
        model.evaluate(data, split=split)


@pytest.mark.parametrize(
    ("model", "option", "told"),
    [
        ({"name": "bert4rec"}, {"targets": "event=purchase"}, r"data\.targets or data\.negative"),
        ({"name": "bert4rec"}, {"weight": "quantity"}, r"data\.weight"),
        ({"name": "gru4rec", "loss": "bpr-max"}, {"weight": "quantity"}, r"data\.weight"),
    ],
)
def test_models_that_cannot_tell_interactions_apart_refuse(
    data: Dataset, model: dict[str, str], option: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"which is trained on every interaction alike, and {told} tells"):
        Recommender(Config(model=model, data=option)).fit(data, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "duorec", "tisasrec", "popularity", "transitions", "vsknn"])
def test_other_models_predict_events_as_well(data: Dataset, name: str) -> None:
    said = {"targets": "event=purchase", "negative": "event=return", "weight": "quantity"}
    config = Config(data=said, model={"name": name}, training={"epochs": 1}, evaluation={"resamples": 20})
    model = Recommender(config).fit(data, progress=False)
    assert (data.item_ids.decode(model.evaluate(data).items).to_numpy() >= VIEWED).all()
    assert len(model.recommend(["u0"], k=3)) == 3


def test_runs_that_were_begun_before_these_options_have_their_defaults() -> None:
    before = to_dict(Config())
    for name in ("data.targets", "data.negative", "data.weight", "relations.behaviour_rows"):
        part, _, option = name.partition(".")
        assert LATER[name] == before[part].pop(option)
    assert changed_options(before, Config()) == []
    assert changed_options(before, config_of(RETURNS))[0] == "data.negative"


@pytest.mark.parametrize("seed", range(3))
def test_the_event_and_weight_of_the_target_change_no_score(seed: int) -> None:
    """At the places of a batch, nothing may be read of what the later positions are."""
    data = with_events(shop(seed), seed)
    weights = np.random.default_rng(seed).random(len(data.sequences.items)).astype(np.float32) + 0.5
    told = replace(data.sequences, behaviours={**data.sequences.behaviours, "quantity": weights})
    data = replace(data, sequences=replace(told, meaning=replace(told.meaning, weight="quantity")))
    relations = relations_of(data, similar_users=False)
    torch.manual_seed(seed)
    network = AttrFormerNetwork(relations, AttrFormerConfig(width=8, layers=2, max_length=20, dropout=0.0), 0.0).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    maker = InputMaker(relations, 20, torch.device("cpu"))
    histories = data.sequences
    middle = histories.lengths // 2
    later = np.arange(len(histories.items)) - np.repeat(histories.offsets[:-1] + middle, histories.lengths) >= 0
    other = {
        "event": np.where(later, (histories.behaviours["event"] + 1) % 3, histories.behaviours["event"]),
        "quantity": np.where(later, histories.behaviours["quantity"] * 7, histories.behaviours["quantity"]),
    }
    changed = replace(histories, behaviours={**histories.behaviours, **other})

    def said(given: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
        places = np.maximum(middle - 1, 0)[:, None]
        codes = {name: user.codes for name, user in relations.users.items()}
        outputs = network(maker.pad(given, places, relations.fold_of_user, codes, None))
        parts = [
            part.block(slice(0, len(places)), inputs.block(slice(0, len(places)))) for part, inputs in outputs.parts
        ]
        logits = []
        for block in parts:
            logits.append(torch.zeros(len(places), 1, data.item_count))
            block.add_to(logits[-1])
        return outputs.hidden, logits

    (before, first), (after, second) = said(histories), said(changed)
    torch.testing.assert_close(before, after)
    for one, two in zip(first, second, strict=True):
        torch.testing.assert_close(one, two)
    names = [name for name in relations if name.startswith(("after_", "negative"))]
    assert len(names) == 3 and any(bool(part.abs().max() > 0) for part in first)


@pytest.mark.slow
def test_a_warm_start_carries_values_over_by_their_text() -> None:
    config = config_of(PURCHASES)
    old = AttrFormer(config).fit(event_shop(), progress=False).fitted
    data = config.data.filtered(event_shop(returns=True))
    relations = build_relations(data, config.data.split_of(data).train, config.relations, 0)
    network = build_network(relations, config.model, 0.0)
    carry_over(old, network, relations, data.item_ids)
    assert old.relations.categories["event"] == ("browse", "purchase", "view")
    assert relations.categories["event"] == ("browse", "purchase", "return", "view")
    known = torch.tensor([0, 1, 2, 4])
    parameters, before = dict(network.named_parameters()), dict(old.network.named_parameters())
    pairs = [name for name in before if name.endswith(".pair")]
    levels = [name for name in before if name.endswith(".recency.by_level.behaviour_event") and "after_" in name]
    assert len(pairs) == 1 and len(levels) == 3
    assert torch.equal(parameters[pairs[0]][known][:, known], before[pairs[0]]) and before[pairs[0]].any()
    for name in levels:
        assert torch.equal(parameters[name][known], before[name])
        assert parameters[name][3] == 0
