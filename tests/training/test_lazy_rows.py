from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.models.builders import network_of
from tests.relations.builders import relations_of, shop
from tests.training.builders import FAST, Notes, trainer_of
from torch import Tensor, nn

from attrformer.errors import CheckpointError
from attrformer.nn.batch import Example
from attrformer.nn.candidates import every_item
from attrformer.training.candidate_sampler import CandidateSampler
from attrformer.training.checkpoint import Progress
from attrformer.training.config import TargetConfig
from attrformer.training.lazy_rows import LazyRows, clip_with_rows
from attrformer.training.trainer import Stopped, Trainer

DATA = shop()
ITEMS, WIDTH, RATE, DECAY = 6, 3, 0.05, 0.1


def sparse(items: list[int], values: Tensor) -> Tensor:
    return torch.sparse_coo_tensor(torch.tensor([items]), values, (ITEMS, WIDTH), check_invariants=True)


@pytest.fixture(params=[False, True], ids=["plain", "compiled"], autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether rows are updated by compiled passes."""
    if request.param:
        pytest.importorskip("numba", reason="needs the extra `fast`")
    monkeypatch.setattr("attrformer.training.lazy_rows.MANY_ROWS", 0 if request.param else 1 << 30)
    return bool(request.param)


def both(steps: list[list[int]], decay: float = DECAY, kept: float = 0.9) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and moving average after steps that read some rows: rows updated lazily, and all of them by AdamW."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(ITEMS, WIDTH, generator=generator)
    lazy, dense = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    rows, averages = LazyRows({"item": lazy}, decay, True), [start.clone(), start.clone()]
    optimizer = torch.optim.AdamW([dense], lr=RATE, weight_decay=decay)
    for items in steps:
        values = torch.randn(len(items), WIDTH, generator=generator)
        rows.refresh(torch.tensor(items), {"item": averages[0]})
        lazy.grad, dense.grad = sparse(items, values), sparse(items, values).to_dense()
        rows.step(RATE)
        rows.average({"item": averages[0]}, kept)
        optimizer.step()
        averages[1].lerp_(dense.data, 1 - kept)
    rows.refresh(None, {"item": averages[0]})
    return [lazy.data, averages[0]], [dense.data, averages[1]]


def test_where_every_row_is_read_it_is_adamw() -> None:
    lazy, dense = both([list(range(ITEMS))] * 7)
    for first, second in zip(lazy, dense, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)


def test_weight_decay_of_rows_that_nobody_reads_is_exact() -> None:
    lazy, dense = both([[0, 1], [1, 2], [0], [2, 1], [1]])
    # Rows 3 to 5 were never read, so that no momentum moves them in AdamW either.
    torch.testing.assert_close(lazy[0][3:], dense[0][3:], rtol=1e-6, atol=1e-7)
    # Their average counts each as it stands at the end; the decay of a step is half a per cent.
    torch.testing.assert_close(lazy[1][3:], dense[1][3:], rtol=0.03, atol=1e-3)


def test_the_average_of_rows_that_stand_still_is_exact() -> None:
    lazy, dense = both([[0, 1, 2], [3], [3]], decay=0.0)
    assert torch.equal(lazy[0][4:], dense[0][4:])
    torch.testing.assert_close(lazy[1][4:], dense[1][4:], rtol=1e-6, atol=1e-7)


def test_moments_decay_as_without_a_gradient() -> None:
    parameter = nn.Parameter(torch.zeros(ITEMS, WIDTH))
    rows = LazyRows({"item": parameter}, 0.0, True)
    for items in ([0], [1], [1], [0]):
        rows.refresh(torch.tensor(items), {})
        parameter.grad = sparse(items, torch.ones(1, WIDTH))
        rows.step(RATE)
        rows.average({}, 1.0)
    state = rows.state()
    torch.testing.assert_close(state["item/mean"][0], torch.full((WIDTH,), 0.1 * 0.9**3 + 0.1))
    torch.testing.assert_close(state["item/square"][0], torch.full((WIDTH,), 0.001 * 0.999**3 + 0.001))
    assert state["item/steps"].tolist() == [4, 3, 0, 0, 0, 0]


def test_the_norm_of_all_gradients_is_clipped_together() -> None:
    dense, lazy = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(ITEMS, WIDTH))
    dense.grad, lazy.grad = torch.full((4,), 1.5), sparse([2, 2], torch.ones(2, WIDTH) * 0.5)
    lazy_norm, dense_norm = torch.sqrt(torch.tensor(3.0)), torch.tensor(3.0)
    clip_with_rows([dense, lazy], 1.0)
    total = torch.sqrt(lazy_norm**2 + dense_norm**2)
    torch.testing.assert_close(dense.grad, torch.full((4,), 1.5) / total, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(lazy.grad.to_dense()[2], torch.ones(WIDTH) / total, rtol=1e-5, atol=1e-6)
    kept = dense.grad.clone()
    clip_with_rows([dense, lazy], 5.0)
    assert torch.equal(dense.grad, kept)


class WholeCatalogue(CandidateSampler):
    """Takes every item."""

    def __call__(self, network: nn.Module, example: Example) -> object:  # type: ignore[override]
        return every_item(DATA.item_count)


def sampling(sampler: type[CandidateSampler] = CandidateSampler, **options: object) -> Trainer:
    relations = relations_of(DATA, dense_items=0, top_k=5)
    torch.manual_seed(0)
    trainer = trainer_of(DATA, relations, **options)  # type: ignore[arg-type]
    made = sampler(torch.from_numpy(relations.popularity), replace(FAST, negatives=6))
    return Trainer(
        trainer.network, trainer.examples, trainer.validate, torch.from_numpy(relations.popularity), trainer.training,
        TargetConfig(), torch.float32, trainer.checkpoint, trainer.watcher, sampler=made,
    )  # fmt: skip


def test_with_the_whole_catalogue_training_is_that_of_the_full_softmax() -> None:
    relations = relations_of(DATA, dense_items=0, top_k=5)
    torch.manual_seed(0)
    full = trainer_of(DATA, relations, network=network_of(relations))
    lazy = sampling(WholeCatalogue, network=network_of(relations))
    for trainer in (full, lazy):
        trainer.fit()
    assert lazy.progress.step == full.progress.step > 5
    assert isinstance(full.watcher, Notes) and isinstance(lazy.watcher, Notes)
    torch.testing.assert_close(
        torch.tensor(lazy.watcher.losses), torch.tensor(full.watcher.losses), rtol=1e-4, atol=1e-4
    )
    first, second = (trainer.network.get_parameter("table.item") for trainer in (full, lazy))
    torch.testing.assert_close(first, second, rtol=1e-2, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resumed_training_ends_in_the_same_weights(tmp_path: Path, average: float) -> None:
    training = replace(FAST, average=average, weight_decay=0.1)
    whole = sampling(training=training, dropout=0.2)
    whole.fit()

    def interrupt(progress: Progress) -> None:
        if progress.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    cut = sampling(training=training, dropout=0.2, folder=tmp_path, notes=Notes(interrupt=interrupt))
    with pytest.raises(Stopped):
        cut.fit()
    rest = sampling(training=training, dropout=0.2, folder=tmp_path)
    torch.manual_seed(123)
    rest.fit(resume=True)
    assert rest.progress.step == whole.progress.step > 5
    for first, second in zip(whole.network.parameters(), rest.network.parameters(), strict=True):
        assert torch.equal(first, second)


def test_a_state_of_another_catalogue_is_refused() -> None:
    state = LazyRows({"item": nn.Parameter(torch.zeros(4, 2))}, 0.1).state()
    with pytest.raises(CheckpointError, match="another loss or catalogue"):
        LazyRows({"item": nn.Parameter(torch.zeros(5, 2))}, 0.1).set_state(state)
    with pytest.raises(CheckpointError, match="another loss or catalogue"):
        LazyRows({"item": nn.Parameter(torch.zeros(4, 2))}, 0.1).set_state({})


def test_a_state_of_the_sampled_loss_is_refused_by_the_full_one(tmp_path: Path) -> None:
    sampled = sampling(folder=tmp_path)
    sampled.fit()
    assert sampled.checkpoint is not None
    with pytest.raises(CheckpointError, match="another loss or catalogue"):
        sampled.checkpoint.load(sampled.network, sampled.optimizer, LazyRows({}, 0.1))
