"""Recorded steps teach what steps teach as they are; needs a CUDA device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.relations.builders import relations_of
from tests.support.baselines import DATA, LENGTH, small
from tests.training.builders import Notes, rising

from attrformer.models.attrformer import AttrFormerConfig
from attrformer.models.baselines.difsr import DIFSRConfig
from attrformer.models.baselines.sasrec import SASRecConfig
from attrformer.models.baselines.tisasrec import TiSASRecConfig
from attrformer.models.config import EncoderConfig
from attrformer.models.inputs import InputMaker
from attrformer.models.registry import build_network
from attrformer.relations.config import RelationsConfig
from attrformer.training import cuda_graphs as graphs
from attrformer.training.batches import Examples
from attrformer.training.config import TargetConfig, TrainingConfig
from attrformer.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CUDA = torch.device("cuda", 0)


def losses_of(config: EncoderConfig, recorded: bool, dense_items: int = 6000) -> tuple[list[float], int]:
    training = TrainingConfig(epochs=6, batch_targets=64, warm_up=10, graphs=recorded)
    relations = relations_of(DATA, config.reads(RelationsConfig(folds=3, similar_users=True, dense_items=dense_items)))
    torch.manual_seed(0)
    network = build_network(relations, config, 0.0).to(CUDA)
    maker = InputMaker(relations, LENGTH, CUDA)
    options = {"prefixes": config.ENDS_BEFORE_TARGET, "filled": recorded}
    examples = Examples(DATA.sequences, relations, maker, LENGTH, training, TargetConfig(), 0, **options)
    notes = Notes()
    popularity = torch.from_numpy(relations.popularity).to(CUDA)
    trainer = Trainer(network, examples, rising(), popularity, training, TargetConfig(), torch.float32, None, notes)
    trainer.fit()
    learn = trainer._learn
    return notes.losses, len(learn._recorded) if isinstance(learn, graphs.StepGraphs) else 0


@pytest.mark.parametrize("dense_items", [6000, 0])
@pytest.mark.parametrize("kind", [AttrFormerConfig, SASRecConfig, DIFSRConfig, TiSASRecConfig])
def test_recorded_steps_are_those_that_are_made(
    kind: type[EncoderConfig], dense_items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "STEPS_BEFORE", 3)
    config = small(kind, loss="full") if kind is SASRecConfig else small(kind)
    (wanted, none), (found, some) = (losses_of(config, recorded, dense_items) for recorded in (False, True))
    assert none == 0 and some > 0
    np.testing.assert_allclose(found, wanted, rtol=2e-3)
