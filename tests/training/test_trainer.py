from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.builders import example_of, network_of, scorer_of
from tests.nn import plain
from tests.relations.builders import relations_of, shop
from tests.training.builders import FAST, Notes, trained, trainer_of
from torch import Tensor

from attrformer.nn.batch import Example
from attrformer.nn.fused_loss import PosteriorTarget
from attrformer.nn.losses import Objective
from attrformer.processes import REQUESTS, exit_code
from attrformer.training.checkpoint import Progress, parameters_of
from attrformer.training.config import TargetConfig
from attrformer.training.trainer import Stopped, average_decay

DATA = shop()


def weights(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in parameters_of(network).items()}


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_training_is_the_same_for_the_same_seed() -> None:
    first, second = (trained(DATA, relations_of(DATA), dropout=0.2) for _ in range(2))
    assert_equal(weights(first[0].network), weights(second[0].network))
    assert first[1].losses == second[1].losses


def test_loss_and_every_gradient_equal_the_plain_objective() -> None:
    relations = relations_of(DATA)
    target = TargetConfig(window=2, strength=0.4, relation=0.5, popularity=0.25, uniform=0.25)
    networks = [network_of(relations).train() for _ in range(2)]
    example = example_of(DATA, relations, target=target)
    found = trainer_of(DATA, relations, network=networks[0], target=target).loss(example)
    outputs = networks[1](example.batch)
    spoken = [
        (inputs.gate, plain.evidence(relations, name, example.batch, inputs.weights))
        for name, (_, inputs) in zip(outputs.names, outputs.parts, strict=True)
    ]
    popularity = torch.from_numpy(relations.popularity / relations.popularity.sum())
    posterior = PosteriorTarget(example.items, example.counts, 0.4, popularity, (0.5, 0.25, 0.25), 0)
    wanted = plain.posterior(posterior, DATA.item_count, spoken[0][1].detach())
    expected = plain.cross_entropy(plain.logits(outputs.hidden, outputs.table, spoken), wanted, example.mask)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    found.backward()
    expected.backward()
    for (name, mine), (_, other) in zip(networks[0].named_parameters(), networks[1].named_parameters(), strict=True):
        assert (mine.grad is None) == (other.grad is None), name
        if mine.grad is not None and other.grad is not None:
            torch.testing.assert_close(mine.grad, other.grad, rtol=1e-3, atol=2e-6, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("average", "number"), [(0.0, signal.SIGINT), (0.9, signal.SIGINT), *((0.9, number) for number in REQUESTS)]
)
def test_resumed_training_ends_in_the_same_weights(tmp_path: Path, average: float, number: int) -> None:
    relations = relations_of(DATA)
    training = replace(FAST, average=average)
    torch.manual_seed(0)
    whole = trainer_of(DATA, relations, training=training, dropout=0.2)
    whole.fit()

    def interrupt(progress: Progress) -> None:
        if progress.step == 5:
            os.kill(os.getpid(), number)

    torch.manual_seed(0)
    cut = trainer_of(DATA, relations, training=training, dropout=0.2, folder=tmp_path, notes=Notes(interrupt=interrupt))
    handler = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        cut.fit()
    assert signal.getsignal(number) is handler and exit_code(stopped.value) == 128 + number
    assert 0 < cut.progress.step < whole.progress.step and cut.progress.batch > 0
    torch.manual_seed(123)
    rest = trainer_of(DATA, relations, training=training, dropout=0.2, folder=tmp_path)
    rest.fit(resume=True)
    assert rest.progress.step == whole.progress.step
    assert_equal(weights(whole.network), weights(rest.network))


@pytest.mark.slow
def test_a_handler_of_the_program_stays_in_charge(tmp_path: Path) -> None:
    told: list[int] = []

    def interrupt(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        notes = Notes(interrupt=interrupt)
        trainer_of(DATA, relations_of(DATA), training=FAST, folder=tmp_path, notes=notes).fit()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [signal.SIGTERM]


def figures(values: list[float]) -> object:
    remaining = iter(values)

    def validate() -> dict[str, dict[str, float]]:
        value = next(remaining)
        return {"seen=hidden": {"NDCG@20": value}, "seen=ranked": {"NDCG@20": value}}

    return validate


@pytest.mark.slow
def test_the_best_epoch_is_kept_and_patience_ends_training() -> None:
    relations = relations_of(DATA)
    notes = Notes()
    kept: list[dict[str, Tensor]] = []
    trainer = trainer_of(DATA, relations, training=replace(FAST, epochs=20, patience=2), notes=notes)
    validate = figures([0.1, 0.3, 0.2, 0.25, 0.9])

    def noting() -> dict[str, dict[str, float]]:
        kept.append(weights(trainer.network))
        return validate()  # type: ignore[operator,no-any-return]

    trainer.validate = noting
    trainer.fit()
    assert [line["validation"]["seen=hidden"]["NDCG@20"] for line in notes.lines] == [0.1, 0.3, 0.2, 0.25]
    assert (trainer.progress.best, trainer.progress.best_epoch) == (0.3, 1)
    assert_equal(weights(trainer.network), kept[1])


@pytest.mark.slow
def test_learning_rate_warms_up_and_cosine_falls() -> None:
    relations = relations_of(DATA)
    for schedule in ("constant", "cosine"):
        notes = Notes()
        training = replace(FAST, epochs=6, warm_up=4, schedule=schedule)  # type: ignore[arg-type]
        trainer_of(DATA, relations, training=training, notes=notes).fit()
        rates = [line["learning_rate"] for line in notes.lines]
        assert max(rates) <= FAST.learning_rate
        if schedule == "constant":
            assert rates[-1] == FAST.learning_rate
        else:
            assert rates[-1] < 0.3 * FAST.learning_rate


def test_a_trained_network_scores_every_item() -> None:
    relations = relations_of(DATA)
    trainer, _ = trained(DATA, relations)
    users = np.arange(5)
    scores = scorer_of(trainer.network, relations).score(users, DATA.sequences.rows(users))
    assert scores.shape == (5, DATA.item_count) and bool(scores.isfinite().all())


def test_the_average_spans_more_batches_where_epochs_are_long() -> None:
    assert [average_decay(None, batches) for batches in (1, 300, 301)] == [0.998, 0.998, 0.999]
    assert [average_decay(wanted, 1000) for wanted in (0.0, 0.5)] == [0.0, 0.5]


@pytest.mark.parametrize("compiled", [True, False])
def test_operations_of_a_short_step_are_not_split(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(DATA, relations_of(DATA), training=replace(FAST, compiled=None if compiled else False))
    seen, loss, before = [], trainer.network.loss, torch.get_num_threads()

    def noted(example: Example, objective: Objective) -> Tensor:
        seen.append(torch.get_num_threads())
        return loss(example, objective)

    monkeypatch.setattr(trainer.network, "loss", noted)
    example = next(iter(trainer.examples.epoch(0)))[2]
    torch.set_num_threads(2)
    try:
        trainer.step(example)
        monkeypatch.setattr("attrformer.models.attrformer.SPLIT_ELEMENTS", 0)
        trainer.step(example)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1 if compiled else 2, 2]
