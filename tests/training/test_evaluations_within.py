"""Evaluations within an epoch: they change no weight, are told of, and a training goes on from each of them."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.relations.builders import relations_of, shop
from tests.training.builders import FAST, Notes, trained, trainer_of
from torch import Tensor

from attrformer.io import CHECKSUM, with_checksum
from attrformer.training.checkpoint import STATE, Progress, parameters_of
from attrformer.training.trainer import Stopped, Trainer

pytestmark = pytest.mark.slow

DATA = shop()
OFTEN = replace(FAST, evaluations_per_epoch=3, average=0.9, batch_targets=48)


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in parameters_of(trainer.network).items()}


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def told(notes: Notes, *names: str) -> list[dict[str, Any]]:
    return [{name: line[name] for name in names} for line in notes.lines]


def test_they_change_neither_losses_nor_weights() -> None:
    relations = relations_of(DATA)
    options = {name: getattr(OFTEN, name) for name in ("average", "batch_targets")}
    once, seldom = trained(DATA, relations, dropout=0.2, **options)
    often, notes = trained(DATA, relations, dropout=0.2, **options, evaluations_per_epoch=3)
    assert notes.losses == seldom.losses
    assert_equal(weights(once), weights(often))
    assert len(seldom.lines) == 3 and "passes" not in seldom.lines[0]
    batches = len(notes.losses) // 3
    assert batches >= 5 and len(notes.lines) == 9
    steps = [-(-batches * part // 3) for part in range(1, 4)]
    assert [line["step"] for line in notes.lines] == [epoch * batches + step for epoch in range(3) for step in steps]
    assert [line["passes"] for line in notes.lines[:3]] == pytest.approx([step / batches for step in steps], abs=1e-6)
    assert [line["epoch"] for line in notes.lines] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    # Each line tells of what came since the one before.
    ends = [0, *(line["step"] for line in notes.lines)]
    means = [sum(notes.losses[a:b]) / (b - a) for a, b in pairwise(ends)]
    assert [line["loss"] for line in notes.lines] == pytest.approx(means)


def falling_after(good: int) -> Any:
    """Figures that rise so many times and fall from then on."""
    values = iter([*range(1, good + 1), *range(good, good - 100, -1)])

    def figures() -> dict[str, dict[str, float]]:
        value = next(values) / 1000
        return {"seen=hidden": {"NDCG@20": value}, "seen=ranked": {"NDCG@20": value}}

    return figures


def test_patience_ends_a_training_within_an_epoch(tmp_path: Path) -> None:
    kept: list[dict[str, Tensor]] = []
    notes, figures = Notes(), falling_after(2)
    training = replace(OFTEN, epochs=20, patience=2)

    def validate() -> dict[str, dict[str, float]]:
        kept.append(weights(trainer))
        return figures()  # type: ignore[no-any-return]

    relations = relations_of(DATA)
    trainer = trainer_of(DATA, relations, training=training, folder=tmp_path, notes=notes, validate=validate)
    trainer.fit()
    assert len(notes.lines) == 4 and notes.lines[-1]["epoch"] == 1 and notes.lines[-1]["passes"] < 2
    assert_equal(weights(trainer), kept[1])
    again = trainer_of(DATA, relations, training=training, folder=tmp_path, notes=notes, validate=validate)
    again.fit(resume=True)
    assert len(kept) == 4
    assert_equal(weights(again), kept[1])


@pytest.mark.parametrize("after", [0, 1])
def test_a_training_goes_on_from_an_evaluation_within_an_epoch(tmp_path: Path, after: int) -> None:
    relations = relations_of(DATA)
    torch.manual_seed(0)
    whole = trainer_of(DATA, relations, training=OFTEN, dropout=0.2, notes=(wanted := Notes()))
    whole.fit()
    at = wanted.lines[3]["step"] + after

    def interrupt(progress: Progress) -> None:
        if progress.step == at:
            os.kill(os.getpid(), signal.SIGINT)

    torch.manual_seed(0)
    found = Notes(interrupt)
    cut = trainer_of(DATA, relations, training=OFTEN, dropout=0.2, folder=tmp_path, notes=found)
    with pytest.raises(Stopped):
        cut.fit()
    assert cut.progress.batch - cut.progress.told == after and len(found.lines) == 4
    torch.manual_seed(123)
    found.interrupt = None
    rest = trainer_of(DATA, relations, training=OFTEN, dropout=0.2, folder=tmp_path, notes=found)
    rest.fit(resume=True)
    assert found.losses == wanted.losses
    assert told(found, "step", "loss", "passes") == told(wanted, "step", "loss", "passes")
    assert_equal(weights(whole), weights(rest))


def test_a_state_that_an_earlier_version_left_goes_on(tmp_path: Path) -> None:
    relations, training = relations_of(DATA), replace(FAST, epochs=20, patience=2)
    validate = falling_after(1)
    trainer_of(DATA, relations, training=replace(training, epochs=2), folder=tmp_path, validate=validate).fit()
    state = json.loads((tmp_path / STATE).read_text())
    for name in ("told", "since_best", CHECKSUM):
        del state[name]
    (tmp_path / STATE).write_text(json.dumps(with_checksum(state)))
    notes = Notes()
    trainer_of(DATA, relations, training=training, folder=tmp_path, notes=notes, validate=validate).fit(resume=True)
    # One evaluation without a better figure was before.
    assert [line["epoch"] for line in notes.lines] == [2]
