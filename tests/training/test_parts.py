"""A step whose batch is cut into parts against that of the whole batch."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event

import pytest
import torch
from tests.models.builders import example_of, network_of
from tests.relations.builders import relations_of, shop
from tests.training.builders import FAST, Notes, trainer_of
from torch import Tensor, nn

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.network import Network
from attrformer.nn import column_loss
from attrformer.nn.batch import Example
from attrformer.nn.candidates import every_item
from attrformer.nn.losses import Objective
from attrformer.nn.relations.repeat import RepeatModule
from attrformer.nn.workers import whole_operations
from attrformer.training.checkpoint import parameters_of
from attrformer.training.parts import MOST_PARTS, differentiate, part_count, takes_whole_operations
from attrformer.training.trainer import Stopped, Trainer

DATA = shop()
DROPOUT = 0.2
Gradients = dict[str, Tensor]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of CPU threads of torch, for the time of a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["plain", "compiled"])
def trainer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """A trainer with dropout, by plain operations and by compiled passes."""
    if request.param:
        pytest.importorskip("numba")
        monkeypatch.setattr(column_loss, "LEAST_LOGITS", 0)
        monkeypatch.setattr("attrformer.nn.relation_mix.LEAST_LOGITS", 0)
    return made(compiled=request.param)


def made(compiled: bool | None = None) -> Trainer:
    relations = relations_of(DATA)
    network = network_of(relations, dropout=DROPOUT)
    return trainer_of(DATA, relations, training=replace(FAST, compiled=compiled), network=network)


def rows_of(example: Example, rows: slice) -> Example:
    return example.map(lambda values: values[rows])


def batch() -> Example:
    return rows_of(example_of(DATA, relations_of(DATA)), slice(17))


def found(trainer: Trainer, example: Example, count: int, loss: Callable[[Example], Tensor] | None = None) -> Gradients:
    """Gradients by name, and the loss, of what is drawn from one seed."""
    network = trainer.network.train()
    network.zero_grad(set_to_none=True)
    torch.manual_seed(3)
    with whole_operations(True):
        value = differentiate(loss or trainer.loss, example, network, count)
    assert not value.requires_grad
    for own in network.parameters():
        # As AdamW reads them.
        assert own.grad is None or own.grad.stride() == own.stride()
    gradients = {name: own.grad for name, own in network.named_parameters() if own.grad is not None}
    return {"loss": value, **gradients}


def assert_close(first: Gradients, second: Gradients) -> None:
    assert first.keys() == second.keys() and len(first) > 20
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-3, atol=2e-6, msg=name)


class Turned(Network):
    """Its gradient is a transposed view in the first part and not there in the others."""

    def __init__(self, everywhere: bool) -> None:
        super().__init__()
        self.weight, self.idle, self.everywhere = (
            nn.Parameter(torch.randn(3, 5)),
            nn.Parameter(torch.ones(2)),
            everywhere,
        )

    def one(self, part: Example) -> Tensor:
        first = bool((part.batch.items[0] == batch().batch.items[0]).all())
        turned = (self.weight.t() * torch.arange(15.0).view(5, 3)).sum()
        return turned if first or self.everywhere else turned.detach() + self.idle.sum() * 0


@pytest.mark.parametrize("everywhere", [False, True])
def test_gradients_lie_in_memory_as_their_parameters_do(everywhere: bool) -> None:
    network, example = Turned(everywhere), batch()
    differentiate(network.one, example, network, 2)
    share = 1.0 if everywhere else float(example.mask[::2].sum() / example.mask.sum())
    expected = torch.arange(15.0).view(5, 3).t() * share
    assert network.weight.grad is not None and network.weight.grad.stride() == (5, 1)
    torch.testing.assert_close(network.weight.grad, expected)
    assert (network.idle.grad is None) == everywhere


def assert_equal(first: Gradients, second: Gradients) -> None:
    assert first.keys() == second.keys()
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []


@pytest.mark.parametrize("count", [2, 3, 4])
def test_parts_give_loss_and_gradients_of_the_whole_batch(count: int, trainer: Trainer) -> None:
    example = batch()
    assert len(example.mask) == 17
    assert_close(found(trainer, example, 1), found(trainer, example, count))


def test_weights_that_add_up_to_less_than_one_count_as_in_the_whole_batch() -> None:
    trainer, example = made(compiled=False), batch()
    light = example.mask * 1e-3
    light[0] = 0.7
    for weights in (light, torch.zeros_like(light)):
        weighted = replace(example, mask=weights)
        assert_close(found(trainer, weighted, 1), found(trainer, weighted, 2))


@pytest.mark.parametrize("first", [0, 1])
def test_results_do_not_depend_on_which_part_is_ahead(first: int, trainer: Trainer) -> None:
    example, done, calls = batch(), Event(), list[bool]()
    ahead = rows_of(example, slice(first, None, 2))

    def ordered(part: Example) -> Tensor:
        own = torch.equal(part.batch.items, ahead.batch.items)
        if not own:
            assert done.wait(60)
        calls.append(own)
        loss = trainer.loss(part)
        if own:
            done.set()
        return loss

    assert_equal(found(trainer, example, 2), found(trainer, example, 2, ordered))
    assert calls == [True, False]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_of_a_part_comes_out_once_no_part_runs(failing: int, kind: type[BaseException]) -> None:
    trainer, example, failed, ended = made(compiled=False), batch(), Event(), list[int]()
    bad = rows_of(example, slice(failing, None, 2))

    def loss(part: Example) -> Tensor:
        if torch.equal(part.batch.items, bad.batch.items):
            failed.set()
            raise kind("of the part")
        assert failed.wait(60)
        value = trainer.loss(part)
        ended.append(1)
        return value

    with pytest.raises(kind, match="of the part"):
        found(trainer, example, 2, loss)
    assert ended == [1]
    # The threads serve the next step.
    assert_close(found(trainer, example, 1), found(trainer, example, 2))


class Apart(AttrFormerNetwork):
    """Says nothing of its rows, which may meet in what it computes beside the rest."""


class OwnRepeat(RepeatModule):
    """A module of somebody else."""


def test_what_is_cut(threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    network, example = network_of(relations_of(DATA)), batch()

    def count(own: nn.Module = network, of: Example = example, items: int = 10_000_000, compiled: bool = True) -> int:
        objective = Objective(torch.ones(1).expand(items), 0.0, (0.0, 0.5, 0.5), 1 << 20, torch.float32, compiled)
        found = part_count(own, of, objective)  # type: ignore[arg-type]
        assert takes_whole_operations(network, of, objective) or found == 1 or own is not network
        return found

    for wanted in (1, 2, MOST_PARTS, MOST_PARTS + 1):
        threads(wanted)
        assert count() == (wanted if wanted <= MOST_PARTS else 1)
    threads(2)
    with whole_operations(True):
        assert count() == 2
    assert count(compiled=False) == 1
    rows, targets = example.mask.shape
    least = -(-column_loss.LEAST_LOGITS // (rows // 2 * targets))
    assert [count(items=items) for items in (least, least - 1)] == [2, 1]
    assert [count(of=rows_of(example, slice(few))) for few in (4, 3)] == [2, 1]
    assert count(of=example.map(lambda values: values.to("meta"))) == 1
    candidates = every_item(30)
    assert count(of=replace(example, candidates=candidates)) == 1
    assert count(nn.Module()) == 1
    monkeypatch.setattr(network, "__class__", Apart)
    assert count() == 1
    monkeypatch.undo()
    monkeypatch.setattr(network.module("repeat"), "__class__", OwnRepeat)
    assert count() == 1


@pytest.mark.slow
def test_a_training_with_two_threads_is_that_with_one(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(column_loss, "LEAST_LOGITS", 0)
    counts = list[int]()

    def noted(loss: Callable[[Example], Tensor], example: Example, network: AttrFormerNetwork, count: int) -> Tensor:
        counts.append(count)
        return differentiate(loss, example, network, count)

    monkeypatch.setattr("attrformer.training.trainer.differentiate", noted)
    trained = []
    for count in (1, 2, 2):
        threads(count)
        trainer, notes = made(compiled=True), Notes()
        trainer.watcher = notes
        torch.manual_seed(0)
        trainer.fit()
        trained.append((notes.losses, {name: own.clone() for name, own in parameters_of(trainer.network).items()}))
    steps = len(trained[0][0])
    assert counts == [1] * steps + [2] * 2 * steps and steps > 10
    assert trained[1][0] == trained[2][0]
    assert_equal(trained[1][1], trained[2][1])
    torch.testing.assert_close(torch.tensor(trained[1][0]), torch.tensor(trained[0][0]), rtol=1e-3, atol=1e-4)


def test_a_signal_while_parts_are_computed_stops_after_the_step(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, counts = made(), list[int]()
    monkeypatch.setattr("attrformer.training.trainer.part_count", lambda *told: 2)
    threads(2)

    def loss(part: Example) -> Tensor:
        counts.append(len(part.mask))
        if len(counts) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return Trainer.loss(trainer, part)

    monkeypatch.setattr(trainer, "loss", loss)
    with pytest.raises(Stopped):
        trainer.fit()
    assert trainer.progress.step == 1 and len(counts) == 2
