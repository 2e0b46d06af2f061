"""Batches that are filled up to a few shapes teach what the batches teach as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.models.builders import maker_of
from tests.support.baselines import DATA, LENGTH, network_of, read_by, small

from attrformer.config import override
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.models.baselines.bert4rec import BERT4RecConfig
from attrformer.models.baselines.bsarec import BSARecConfig
from attrformer.models.baselines.cl4srec import CL4SRecConfig
from attrformer.models.baselines.difsr import DIFSRConfig
from attrformer.models.baselines.duorec import DuoRecConfig
from attrformer.models.baselines.fearec import FEARecConfig
from attrformer.models.baselines.gru4rec import GRU4RecConfig
from attrformer.models.baselines.lightsans import LightSANsConfig
from attrformer.models.baselines.mt4sr import MT4SRConfig
from attrformer.models.baselines.sasrec import SASRecConfig
from attrformer.models.baselines.sasrecf import SASRecFConfig
from attrformer.models.baselines.tisasrec import TiSASRecConfig
from attrformer.models.config import EncoderConfig
from attrformer.nn.losses import Objective
from attrformer.recommender import Config
from attrformer.recommender.fitting import make_examples
from attrformer.training.batches import Examples
from attrformer.training.config import TargetConfig, TrainingConfig
from attrformer.training.cuda_graphs import tensors_of

FILLED = [
    small(AttrFormerConfig),
    small(SASRecConfig, loss="full"),
    small(SASRecFConfig),
    small(GRU4RecConfig),
    small(TiSASRecConfig),
    small(DIFSRConfig),
    small(MT4SRConfig),
    small(BSARecConfig),
    small(LightSANsConfig),
]


def examples(config: EncoderConfig, filled: bool) -> Examples:
    training = TrainingConfig(batch_targets=64, sequence_targets=7)
    relations = read_by(config)
    options: dict[str, Any] = {
        "prefixes": config.ENDS_BEFORE_TARGET,
        "partners": config.CONTRASTS_SAME_TARGET,
        "filled": filled,
    }
    maker = maker_of(relations, LENGTH)
    return Examples(DATA.sequences, relations, maker, LENGTH, training, TargetConfig(), 0, **options)


@pytest.mark.parametrize("config", FILLED, ids=lambda config: config.name)
def test_loss_and_gradients_are_those_of_the_batch_as_it_is(config: EncoderConfig) -> None:
    network = network_of(config)
    popularity = torch.from_numpy(read_by(config).popularity)
    objective = Objective(popularity / popularity.sum(), 0.15, (1.0, 0.0, 0.0), 1 << 20, torch.float32)

    def learned(filled: bool, number: int) -> tuple[float, dict[str, torch.Tensor]]:
        made = examples(config, filled)
        network.zero_grad()
        torch.manual_seed(1)
        loss = network.loss(made.make(0, number, made.batches(0)[number]), objective)
        loss.backward()
        return loss.item(), {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}

    for number in range(2):
        (plain, wanted), (loss, found) = learned(False, number), learned(True, number)
        assert loss == pytest.approx(plain, rel=1e-5)
        assert found.keys() == wanted.keys()
        for name, gradient in wanted.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=2e-5, msg=name)


def test_batches_whose_longest_histories_share_a_length_share_all_shapes() -> None:
    made = examples(small(AttrFormerConfig), True)
    shapes: dict[int, set[tuple[torch.Size, ...]]] = {}
    counts = []
    for epoch in range(3):
        for number, group in enumerate(made.batches(epoch)):
            example = made.make(epoch, number, group)
            shape = made.shape_for(int(DATA.sequences.lengths[made._users[group]].max()) - 1)
            assert tuple(example.mask.shape) == (shape.rows, shape.places)
            assert example.batch.items.shape == (shape.rows, shape.length)
            shapes.setdefault(shape.length, set()).add(tuple(tensor.shape for tensor in tensors_of(example)))
            counts.append(int(example.mask.sum()))
    assert all(len(found) == 1 for found in shapes.values())
    plain = examples(small(AttrFormerConfig), False)
    assert counts == [int(example.mask.sum()) for epoch in range(3) for _, _, example in plain.epoch(epoch)]


def test_no_batch_is_larger_than_the_shape_it_is_filled_up_to() -> None:
    made = examples(small(AttrFormerConfig), True)
    for longest in range(1, 400):
        made._max_length = 400
        shape = made.shape_for(longest)
        assert longest <= shape.length <= max(8, longest * 1.34)
        assert shape.places == min(shape.length, 7)
        assert shape.rows >= max(1, min(64 // min(longest, 7), 16_384 // longest))
    assert len({made.shape_for(longest) for longest in range(1, 400)}) < 32


@pytest.mark.parametrize("config", [BERT4RecConfig, CL4SRecConfig, DuoRecConfig, FEARecConfig])
def test_networks_whose_loss_reads_every_history_are_not_filled_up(config: type[EncoderConfig]) -> None:
    assert not config().allows_filled_batches


def test_recording_what_cannot_be_recorded_is_an_error() -> None:
    assert GRU4RecConfig(loss="full").allows_filled_batches and not GRU4RecConfig(loss="bpr-max").allows_filled_batches
    maker = maker_of(read_by(small(AttrFormerConfig)))
    wrong = (("sasrec", "cpu", "needs a CUDA device"), ("duorec", "cuda", "duorec cannot be recorded"))
    for name, device, words in wrong:
        config = override(Config(), [f"model.name={name}", "training.graphs=true"])
        with pytest.raises(ConfigurationError, match=words):
            make_examples(config, DATA.sequences, read_by(small(AttrFormerConfig)), maker, torch.device(device))


def test_filled_batches_hold_the_same_targets() -> None:
    config = small(AttrFormerConfig)
    for (_, _, plain), (_, _, full) in zip(
        examples(config, False).epoch(0), examples(config, True).epoch(0), strict=True
    ):
        wanted, found = (example.items[example.mask > 0].tolist() for example in (plain, full))
        assert found == wanted
        np.testing.assert_array_equal(full.counts[full.mask > 0], plain.counts[plain.mask > 0])
