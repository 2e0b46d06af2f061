from __future__ import annotations

import io
import json
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console
from tests.evaluation.scorers import ITEMS, FixedScorer, HistoryScorer, make_targets, run
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import ConfigurationError, DataError
from attrformer.evaluation import EvaluationConfig, evaluate
from attrformer.evaluation.ranks import target_ranks, top_items


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ranks_and_lists_are_those_of_one_block_in_the_order_of_the_targets(dtype):
    targets = make_targets()
    found = run(targets, scorer=HistoryScorer(dtype=dtype), batch_size=7)
    scores = HistoryScorer(dtype=dtype).score(targets.users, targets.contexts)
    seen = (torch.from_numpy(targets.contexts.row_of_position()), torch.from_numpy(targets.contexts.items))
    wanted = torch.from_numpy(targets.items).long()
    hidden, ranked = target_ranks(scores, wanted, *seen)
    np.testing.assert_array_equal(found.ranks["hidden"], hidden)
    np.testing.assert_array_equal(found.ranks["ranked"], ranked)
    np.testing.assert_array_equal(found.users, targets.users)
    np.testing.assert_array_equal(found.history_lengths, targets.contexts.lengths)
    if dtype == torch.float32:
        for seen_variant, lists in zip(("hidden", "ranked"), top_items(scores, *seen, 20), strict=True):
            np.testing.assert_array_equal(found.lists[seen_variant], lists)


@pytest.mark.parametrize("batch", [1, 33, 1000])
def test_batch_size_changes_no_figure(batch):
    assert run(batch_size=batch).to_json() == run().to_json()


def test_batches_hold_contexts_of_like_length_longest_first():
    scorer = HistoryScorer()
    run(scorer=scorer, batch_size=9)
    assert [len(lengths) for lengths in scorer.batches] == [9] * 11 + [1]
    lengths = np.concatenate(scorer.batches)
    assert (np.diff(lengths) <= 0).all() and lengths[0] > lengths[-1]


def test_json_has_the_agreed_form():
    evaluation = run(cutoffs=(20, 5), seed=4, selection="none")
    found = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert list(found) == ["protocol", "seen=hidden", "seen=ranked", "groups"]
    names = ["Recall@5", "Recall@20", "NDCG@5", "NDCG@20", "MRR@5", "MRR@20"]
    names += ["Coverage@5", "Coverage@20", "PopularityBias@5", "PopularityBias@20"]
    for seen in ("seen=hidden", "seen=ranked"):
        assert list(found[seen]) == names
        for interval in found[seen].values():
            assert list(interval) == ["value", "low", "high"]
            assert interval["low"] <= interval["value"] <= interval["high"]
    assert found["protocol"]["users"] == found["protocol"]["targets"] == 100
    assert found["protocol"]["items"] == ITEMS
    assert (found["protocol"]["seed"], found["protocol"]["selection"]) == (4, "none")


def test_known_figures_of_a_tiny_shop():
    targets = Targets(
        users=np.array([0, 1]),
        contexts=Sequences(offsets=np.array([0, 2, 3]), items=np.array([0, 1, 3], dtype=np.int32)),
        items=np.array([2, 0], dtype=np.int32),
    )
    # Everyone is offered the items in the order 0, 1, 2, 3.
    scorer = FixedScorer(torch.tensor([4.0, 3.0, 2.0, 1.0]).expand(2, 4))
    found = evaluate(
        scorer,
        targets,
        item_count=4,
        dataset="tiny",
        config=EvaluationConfig(cutoffs=(1, 2)),
        popularity=np.array([4, 3, 2, 1]),
    )
    assert found.ranks["hidden"].tolist() == [1, 1]
    assert found.ranks["ranked"].tolist() == [3, 1]
    assert found.value("Recall@1", "hidden") == 1.0
    assert found.value("Recall@1", "ranked") == 0.5
    assert found.value("NDCG@3", "ranked") == pytest.approx((0.5 + 1.0) / 2)
    assert found.lists["hidden"].tolist() == [[2, 3], [0, 1]]
    assert found.lists["ranked"].tolist() == [[0, 1], [0, 1]]
    assert found.metric("Coverage@2", "hidden").value == 1.0
    assert found.metric("Coverage@2", "ranked").value == 0.5
    # Percentiles are .875, .625, .375, .125: the lists' first items less the targets.
    assert found.value("PopularityBias@1", "hidden") == pytest.approx(0.0)
    assert found.value("PopularityBias@1", "ranked") == pytest.approx((0.875 - 0.375 + 0.0) / 2)


def test_values_are_the_metrics_without_intervals():
    found = run()
    values = found.values()
    for seen in ("hidden", "ranked"):
        assert values[f"seen={seen}"] == pytest.approx({name: found.metric(name, seen).value for name in found.names})


def test_without_lists_there_are_only_rank_metrics():
    found = run(lists=False)
    assert {name.split("@")[0] for name in found.names} == {"Recall", "NDCG", "MRR"}
    assert found.metric("NDCG@20") == run().metric("NDCG@20")
    with pytest.raises(ConfigurationError, match="lists=True"):
        found.metric("Coverage@5")


def test_any_list_length_can_be_asked_of_rank_metrics():
    found = run(cutoffs=(5,))
    # Every item is among 30, but for those that are hidden.
    assert found.metric("Recall@30", "ranked").value == 1.0
    assert found.metric("Recall@30").value == 1.0 - make_targets().repeats.mean()
    with pytest.raises(ConfigurationError, match="Add 6 to the cutoffs"):
        found.metric("Coverage@6")


@pytest.mark.parametrize(("name", "seen"), [("Hits@5", "hidden"), ("NDCG@5", "shown"), ("Coverage@5", "shown")])
def test_unknown_metrics_and_variants_are_refused(name, seen):
    with pytest.raises(ConfigurationError, match="Unknown"):
        run().metric(name, seen)


def test_popularity_figures_need_popularity():
    found = run(popularity=None)
    assert not any(name.startswith("PopularityBias") for name in found.names)
    with pytest.raises(ConfigurationError, match="popularity"):
        found.metric("PopularityBias@5")
    with pytest.raises(ConfigurationError, match="popularity"):
        found.by_item_popularity()


def test_slices_share_out_all_targets_and_add_up():
    targets = make_targets()
    found = run(targets)
    whole = found.value("NDCG@20")
    for slices in (found.by_history_length(), found.by_item_popularity(count=3)):
        assert sum(each.targets for each in slices) == 100
        assert sum(each.targets * each.interval.value for each in slices) / 100 == pytest.approx(whole)
    assert found.by_history_length()[0].label == "0"
    rare = found.by_item_popularity(count=3)[0]
    assert rare.label == "0"
    assert rare.targets == (targets.items == 0).sum()


def test_several_targets_of_a_user_count_as_one_user():
    targets = make_targets()
    repeated = Targets(users=targets.users // 2, contexts=targets.contexts, items=targets.items)
    found = run(repeated)
    assert (found.protocol.users, found.protocol.targets) == (50, 100)
    assert "100 targets of 50 users" in found.protocol.line()
    assert found.compare(found).users == 50


def test_compare_finds_the_better_model():
    targets = make_targets(300)
    first = run(targets)
    second = run(targets, scorer=FixedScorer(torch.randn(256, ITEMS, generator=torch.Generator().manual_seed(1))))
    perfect = torch.nn.functional.one_hot(torch.from_numpy(targets.items).long(), ITEMS).float()

    class Perfect:
        def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
            places = {user: row for row, user in enumerate(targets.users)}
            return perfect[[places[user] for user in users]]

    best = run(targets, scorer=Perfect())
    assert best.value("NDCG@5", "ranked") == 1.0
    assert best.value("NDCG@5") == pytest.approx(1.0 - targets.repeats.mean())
    assert best.compare(first, "NDCG@5", "ranked").p_value == pytest.approx(1 / 31)
    assert best.compare(first, "NDCG@5", "ranked").difference.low > 0
    assert first.compare(second).p_value > 1 / 31
    with pytest.raises(DataError, match="different targets"):
        best.compare(run())


def test_table_shows_every_metric_and_the_protocol():
    console = Console(width=200, record=True, file=io.StringIO())
    found = run()
    console.print(found.table())
    text = console.export_text()
    for name in found.names:
        assert name in text
    assert found.protocol.line() in " ".join(text.split())
    assert str(found.metric("NDCG@20", "ranked")) in text


def test_progress_is_told_and_shown_on_standard_error(capsys):
    calls: list[tuple[int, int]] = []
    run(batch_size=40, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(40, 100), (80, 100), (100, 100)]
    run(progress=True)
    assert capsys.readouterr().out == ""


def test_no_gradient_is_recorded():
    class Learning(FixedScorer):
        def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
            scores = super().score(users, contexts) * 2
            assert not scores.requires_grad
            return scores

    run(scorer=Learning(torch.zeros(256, ITEMS, requires_grad=True)))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (torch.zeros(256, ITEMS + 1), r"Return floating scores of shape \[100, 30\]"),
        (torch.zeros(256, ITEMS, dtype=torch.int64), "floating"),
        (torch.full((256, ITEMS), float("nan")), "NaN"),
    ],
)
def test_unusable_scores_are_refused(scores, message):
    with pytest.raises(DataError, match=message):
        run(scorer=FixedScorer(scores))


def test_targets_that_cannot_be_ranked_are_refused():
    targets = make_targets()
    with pytest.raises(DataError, match="no target"):
        run(make_targets(count=0))
    with pytest.raises(DataError, match="outside the catalogue of 20 items"):
        run(targets, item_count=20, popularity=None)
    with pytest.raises(DataError, match="outside the catalogue"):
        run(Targets(users=targets.users, contexts=targets.contexts, items=targets.items - 1))
    with pytest.raises(DataError, match="popularity has 3 entries for 30 items"):
        run(targets, popularity=np.ones(3))


@pytest.mark.slow
def test_evaluation_adds_little_to_scoring():
    users, items = 4_000, 12_101
    targets = make_targets(users, items)
    scores = torch.randn(256, items, generator=torch.Generator().manual_seed(0))
    scorer = FixedScorer(scores)

    def seconds(work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    found: list[tuple[float, float]] = []
    for _ in range(2):
        evaluated = seconds(
            lambda: evaluate(scorer, targets, item_count=items, dataset="large", popularity=np.arange(items)).to_json()
        )
        found.append((evaluated, seconds(lambda: scores.sort(1)) * users / len(scores)))
    evaluated, full_sort = map(min, zip(*found, strict=True))
    # About a tenth of it, on the same machine at the same time.
    assert evaluated < full_sort / 2
