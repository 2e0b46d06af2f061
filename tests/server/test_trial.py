"""A model is used only once it has answered, with numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.server.test_reload import larger

from attrformer.errors import CheckpointError
from attrformer.recommender import AttrFormer
from attrformer.server.engine import Engine, require_answers
from attrformer.server.options import ServeOptions


def spoiled(run: Path, part: str, value: float, folder: str = "next") -> None:
    """A model that was saved whole, with weights that are of no use."""
    model = AttrFormer.load(run / "model")
    with torch.no_grad():
        found = [weights for name, weights in model.fitted.network.named_parameters() if part in name]
        assert found
        for weights in found:
            weights.fill_(value)
    model.save(run / folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "refused"),
    [(float("nan"), "no finite numbers"), (float("inf"), "no finite numbers"), (3e38, "gives no answers")],
)
@pytest.mark.parametrize("part", ["table.item", "gate.bias"])
def test_a_model_without_finite_answers_does_not_take_over(run: Path, part: str, value: float, refused: str) -> None:
    engine = Engine(run, ServeOptions())
    engine.start()
    spoiled(run, part, value)
    with pytest.raises(CheckpointError, match=refused):
        engine.reload()
    assert engine.served is not None and engine.served.generation == 1
    assert sorted(path.name for path in run.iterdir()) == ["model", "next"]


def test_it_does_not_start_a_service_either(run: Path) -> None:
    spoiled(run, "table.item", 3e38, "model")
    with pytest.raises(CheckpointError, match="gives no answers"):
        Engine(run, ServeOptions()).start()


@pytest.mark.slow
def test_a_model_that_is_written_while_it_is_read_does_not_take_over(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(run, ServeOptions())
    engine.start()
    larger(run)

    def asked(model: AttrFormer) -> None:
        require_answers(model)
        (run / "next" / "model.json").touch()

    monkeypatch.setattr("attrformer.server.engine.require_answers", asked)
    with pytest.raises(CheckpointError, match="was written to while it was read"):
        engine.reload()
    monkeypatch.undo()
    assert len(engine.reload().catalogue) == 81
