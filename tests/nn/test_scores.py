"""Compiled passes over scores beside the plain ones, on the settings of `test_fused_loss.py`."""

from __future__ import annotations

import pytest
import torch
from tests.nn.objective_settings import NAMES, Leaves, Setting, leaves_of
from tests.nn.test_fused_loss import at_one_place
from tests.nn.test_fused_loss import setting as setting

from attrformer.compiled import rounding
from attrformer.nn import scores
from attrformer.nn.contributions import ContributionInputs, EntryContribution
from attrformer.nn.fused_loss import score_catalogue

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow


def plain(leaves: Leaves) -> torch.Tensor:
    return score_catalogue(leaves.hidden, leaves.table, leaves.pairs())


@pytest.mark.parametrize("names", [*([name] for name in NAMES), NAMES], ids=[*NAMES, "all"])
def test_scores_equal_plain(names: list[str], setting: Setting) -> None:
    leaves = leaves_of(at_one_place(setting), names, False)
    found = scores.scores(leaves.hidden, leaves.table, leaves.pairs())
    assert found.shape == (len(leaves.hidden), 1, len(leaves.table)) and not found.requires_grad
    torch.testing.assert_close(found, plain(leaves), rtol=1e-5, atol=1e-5)


def test_without_parts_scores_are_the_product(setting: Setting) -> None:
    leaves = leaves_of(at_one_place(setting), [], False)
    found = scores.scores(leaves.hidden, leaves.table, [])
    torch.testing.assert_close(found, plain(leaves), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("together", [1, 100])
def test_blocks_and_threads_change_nothing_but_rounding(
    together: int, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "TOGETHER", together)
    leaves, threads = leaves_of(at_one_place(setting), NAMES, False), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = scores.scores(leaves.hidden, leaves.table, leaves.pairs())
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(found, plain(leaves), rtol=1e-5, atol=1e-5)


def test_an_item_with_several_entries_gets_their_sum_once() -> None:
    part = EntryContribution(torch.tensor([[[2, 0, 2]], [[1, 1, 1]]]), 4)
    inputs = ContributionInputs(torch.tensor([[[0.5, 0.0, 1.5]], [[1.0, 2.0, 4.0]]]), torch.tensor([[2.0], [-1.0]]))
    found = scores.scores(torch.zeros(2, 1, 3), torch.zeros(4, 3), [(part, inputs)])
    evidence = torch.tensor([[0.0, 0.0, 2.0, 0.0], [0.0, 7.0, 0.0, 0.0]])
    torch.testing.assert_close(found.squeeze(1), evidence.log1p() * inputs.gate)


def test_they_are_taken_where_rounding_is_allowed_and_there_is_one_target(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "LEAST_SCORES", 1)
    single, several = leaves_of(at_one_place(setting), NAMES, False), leaves_of(setting, NAMES, False)
    assert not scores.takes(single.hidden, single.table, single.pairs())
    with rounding(True):
        assert scores.takes(single.hidden, single.table, single.pairs())
        assert not scores.takes(several.hidden, several.table, several.pairs())
        assert not scores.takes(single.hidden.double(), single.table, single.pairs())
        assert not scores.takes(single.hidden, single.table, [(object(), single.pairs()[0][1])])  # type: ignore[list-item]
        taken = plain(single)
        monkeypatch.setattr(scores, "LEAST_SCORES", single.hidden.shape[0] * len(single.table) + 1)
        assert not scores.takes(single.hidden, single.table, single.pairs())
    torch.testing.assert_close(taken, plain(single), rtol=1e-5, atol=1e-5)
