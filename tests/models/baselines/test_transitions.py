from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.builders import everywhere
from tests.models.counting import answers, check_batching, check_causality, check_round_trip, counted
from tests.relations.builders import categorical, dataset, multi, numeric, relations_of, sequences
from tests.support.baselines import DATA

from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError
from attrformer.models.baselines.non_parametric import EPSILON, TIE
from attrformer.models.baselines.transitions import TransitionsConfig, TransitionsNetwork, attribute_vectors
from attrformer.nn.batch import Batch
from attrformer.relations.base import NewItems
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig

FIRST_ORDER = CooccurrenceConfig(window=1, backward=0.0, alpha=0.0)
CHAIN = dataset(sequences([[0, 1, 2], [0, 1, 3], [0, 2, 1, 3], [4, 0]]), 6)
COUNTS = [4, 3, 2, 2, 1, 0]


def evidence(config: TransitionsConfig, history: list[int], near: CooccurrenceConfig = FIRST_ORDER) -> torch.Tensor:
    """Evidence after a history, read back from the scores."""
    scores = answers(config, CHAIN, [history], cooccurrence_near=near)[0].double()
    tie = TIE * torch.tensor(COUNTS).double().log1p() / math.log1p(4)
    return (scores - tie).expm1() * EPSILON


def test_the_first_order_chain_reads_the_last_item() -> None:
    config = TransitionsConfig(decay=0.0)
    # 0 goes to 1 twice and to 2 once; 1 goes to 3 twice and to 2 once.
    expected = torch.tensor([0, 2 / 3, 1 / 3, 0, 0, 0]).double()
    torch.testing.assert_close(evidence(config, [5, 3, 0]), expected, rtol=1e-4, atol=1e-7)
    expected = torch.tensor([0, 0, 1 / 3, 2 / 3, 0, 0]).double()
    torch.testing.assert_close(evidence(config, [0, 1]), expected, rtol=1e-4, atol=1e-7)


def test_earlier_items_count_less() -> None:
    config = TransitionsConfig(decay=0.25, repeats=True)
    expected = torch.tensor([0, 0.25 * 2 / 3, 1 / 3 + 0.25 / 3, 2 / 3, 0, 0]).double()
    torch.testing.assert_close(evidence(config, [0, 1]), expected, rtol=1e-4, atol=1e-7)
    # Items of the history have no evidence unless they may come again.
    assert evidence(replace(config, repeats=False), [0, 1])[1].abs() < 1e-9


def test_a_window_counts_pairs_further_apart() -> None:
    near = CooccurrenceConfig(window=2, decay=0.5, backward=0.0, alpha=0.0)
    # Two steps after 0 come 2, 3 and 1, once each and half as heavy.
    weights = torch.tensor([0, 2 + 0.5, 1 + 0.5, 0.5, 0, 0]).double()
    found = evidence(TransitionsConfig(decay=0.0), [0], near)
    torch.testing.assert_close(found, weights / weights.sum(), rtol=1e-4, atol=1e-7)


def test_items_without_evidence_are_ranked_by_popularity() -> None:
    scores = answers(TransitionsConfig(decay=0.0), CHAIN, [[3]], cooccurrence_near=FIRST_ORDER)[0]
    # Nothing follows 3.
    assert scores.argsort(descending=True, stable=True).tolist() == [0, 1, 2, 3, 4, 5]
    assert scores[1] > scores[2] == scores[3] > scores[4] > scores[5] == 0.0
    # The weakest evidence is worth more than the greatest popularity.
    assert (
        answers(TransitionsConfig(decay=0.1), CHAIN, [[0, 3, 3, 3, 3]], cooccurrence_near=FIRST_ORDER)[0, 2] > 10 * TIE
    )


def test_attributes_add_the_cosine_of_their_vectors() -> None:
    brands = ["a", "a", None, "b", "b", "a"]
    tags = [["x", "y"], ["x"], ["y"], ["x", "y"], [], ["z", "y"]]
    features = {"brand": categorical("brand", brands), "tags": multi("tags", tags)}
    data = dataset(CHAIN.sequences, 6, item_attributes=features)
    config = TransitionsConfig(decay=0.5, attributes=2.0, repeats=True)
    relations, network = counted(config, data, cooccurrence_near=FIRST_ORDER)
    assert isinstance(network, TransitionsNetwork)
    # Values that one item alone has relate nothing.
    values = ["a", "b", "x", "y"]
    idf = {value: math.log(6 / sum(value in (b, *t) for b, t in zip(brands, tags, strict=True))) for value in values}
    vectors = np.array([[idf[v] * (v in (b, *t)) for v in values] for b, t in zip(brands, tags, strict=True)])
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    cosine = torch.from_numpy(vectors @ vectors.T)
    plain, plain_network = counted(replace(config, attributes=0.0), data, cooccurrence_near=FIRST_ORDER)
    assert not plain.features and relations.features.keys() == {"brand", "tags"}
    batch = everywhere(relations, sequences([[0, 4], [3, 1]]), [-1, -1])
    added = network.evidence(batch) - plain_network.evidence(batch)  # type: ignore[operator]
    for row, (first, second) in enumerate([(0, 4), (3, 1)]):
        expected = 2.0 * torch.stack([cosine[first], cosine[second] + 0.5 * cosine[first]])
        torch.testing.assert_close(added[row].double(), expected, rtol=1e-5, atol=1e-6)


def test_attribute_vectors_have_norm_one() -> None:
    relations, _ = counted(TransitionsConfig(attributes=1.0))
    codes, weights, values = attribute_vectors(list(relations.features.values()), relations.n_items)
    norms = np.linalg.norm(weights, axis=1)
    assert codes.max() < values and set(np.round(norms, 5)) <= {0.0, 1.0} and norms.sum() > 10
    assert attribute_vectors([], 3)[2] == 0


def test_data_without_attributes_give_transitions_alone() -> None:
    data = dataset(CHAIN.sequences, 6, item_attributes={"price": numeric("price", [float("nan")] * 6)})
    near = FIRST_ORDER
    with_weight = answers(TransitionsConfig(attributes=1.0), data, [[0, 1]], cooccurrence_near=near)
    assert torch.equal(with_weight, answers(TransitionsConfig(), data, [[0, 1]], cooccurrence_near=near))


def test_rows_of_large_catalogues_say_the_same() -> None:
    config = TransitionsConfig(attributes=0.1)
    histories = [[1, 2, 3], [7], [4, 4, 9, 20]]
    whole = answers(config, DATA, histories)
    torch.testing.assert_close(answers(config, DATA, histories, dense_items=0, top_k=30), whole, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(answers(config, DATA, histories, dense_items=0, top_k=2), whole, atol=1e-2)


def test_counting_is_not_cross_fitted_and_near_pairs_are_always_read() -> None:
    off = CooccurrenceConfig(enabled=False, window=3)
    read = TransitionsConfig().reads(RelationsConfig(cooccurrence_near=off))
    assert read.cooccurrence_near == replace(off, enabled=True) and read.folds == 1 and read.item_attributes == ()
    assert TransitionsConfig(attributes=0.1).reads(RelationsConfig()).item_attributes is None


@pytest.mark.parametrize("options", [{"decay": 1.5}, {"attributes": -1.0}, {"max_length": 0}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        TransitionsConfig(**options)  # type: ignore[arg-type]


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(TransitionsConfig(attributes=0.1))


def test_later_items_change_nothing() -> None:
    check_causality(TransitionsConfig(attributes=0.1))


def test_fit_save_and_load(tmp_path: Path) -> None:
    model = check_round_trip("transitions", tmp_path, "model.attributes=0.03")
    user = model.fitted.knowledge.user_ids.to_list()[0]
    explained = model.explain(users=[user], k=1)
    assert list(explained["component"]) == ["content", "transitions"]
    assert sum(explained["contribution"]) == pytest.approx(explained["score"][0])


def test_items_that_were_added_lead_nowhere() -> None:
    relations = relations_of(CHAIN).for_inference()
    grown = relations.with_items(NewItems(CHAIN.item_ids, IdMap.from_list(["new-0"]), {}))
    small, large = (TransitionsNetwork(of, TransitionsConfig(), 0.0) for of in (relations, grown))
    history, with_new = torch.tensor([[0, 1]]), torch.tensor([[6, 1]])
    there = torch.tensor([[0, 1]])

    def said(network: TransitionsNetwork, items: torch.Tensor) -> torch.Tensor:
        folds = torch.zeros(1, dtype=torch.int64)
        return network.evidence(Batch(items=items, target_positions=there, folds=folds, user_features={}))[0]

    assert said(small, history).any()
    torch.testing.assert_close(said(large, history)[:, :6], said(small, history))
    assert not said(large, history)[:, 6].any() and not said(large, with_new)[0].any()
