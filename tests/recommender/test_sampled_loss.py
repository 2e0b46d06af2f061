from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.recommenders import small_config, small_dataset

from attrformer import AttrFormer, ConfigurationError, Recommender
from attrformer.io import CHECKSUM, read_json, with_checksum, write_json
from attrformer.training import candidate_sampler

pytestmark = pytest.mark.slow

SAMPLED = ("training.loss=sampled", "training.negatives=20")


def test_a_sampled_loss_learns_is_told_and_saved(tmp_path: Path) -> None:
    data = small_dataset()
    config = small_config(*SAMPLED, "training.epochs=6", "training.warm_up=5", "training.popular_negatives=0.25")
    model = AttrFormer(config).fit(data, run=tmp_path / "run", progress=False)
    told = "loss sampled: 20 drawn items a step (5 by popularity), and at most as many that relations name"
    assert model.evaluation is not None and told in model.evaluation.protocol.line()
    again = AttrFormer.load(tmp_path / "run" / "model")
    users = again.recommend(k=3)
    assert users.equals(model.recommend(k=3))
    full = AttrFormer(small_config("training.epochs=6", "training.warm_up=5")).fit(data, run=tmp_path / "full")
    assert full.evaluation is not None and "loss sampled" not in full.evaluation.protocol.line()
    figures = [each.evaluation.values()["seen=hidden"]["NDCG@20"] for each in (model, full)]
    popular = Recommender("popularity").fit(data, run=tmp_path / "popular", progress=False)
    assert popular.evaluation is not None
    least = popular.evaluation.values()["seen=hidden"]["NDCG@20"]
    assert figures[0] > 1.3 * least and figures[0] > 0.8 * figures[1]


def test_the_same_seed_gives_the_same_model() -> None:
    data = small_dataset()
    models = [AttrFormer(small_config(*SAMPLED)).fit(data, progress=False) for _ in range(2)]
    for first, second in zip(*(model.fitted.network.parameters() for model in models), strict=True):
        np.testing.assert_array_equal(first.detach().numpy(), second.detach().numpy())


def test_large_catalogues_are_sampled_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_sampler, "FULL_SOFTMAX", 100)
    data = small_dataset()
    for options, sampled in (((), True), (("training.loss=full",), False)):
        model = AttrFormer(small_config(*options, "training.epochs=1")).fit(data, progress=False)
        assert ("loss sampled: 120 drawn" in model.fitted.knowledge.selection) == sampled


def test_a_run_of_an_earlier_version_goes_on_with_the_full_softmax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = small_dataset(), tmp_path / "run"
    AttrFormer(small_config("training.epochs=1")).fit(data, run=run, progress=False)
    options, settled = read_json(run / "config.json"), read_json(run / "run.json")
    del options["training"]["loss"], settled["loss"], settled[CHECKSUM]
    write_json(run / "config.json", options)
    write_json(run / "run.json", with_checksum(settled))
    monkeypatch.setattr(candidate_sampler, "FULL_SOFTMAX", 100)
    model = AttrFormer(small_config()).fit(data, run=run, resume=True, progress=False)
    assert "loss sampled" not in model.fitted.knowledge.selection
    whole = AttrFormer(small_config("training.loss=full")).fit(data, progress=False)
    for first, second in zip(*(each.fitted.network.parameters() for each in (model, whole)), strict=True):
        np.testing.assert_array_equal(first.detach().numpy(), second.detach().numpy())


def test_sasrec_samples_its_full_loss_and_refuses_the_binary_one() -> None:
    data = small_dataset()
    model = Recommender(small_config(*SAMPLED, "model.name=sasrec", "model.loss=full")).fit(data, progress=False)
    assert "loss sampled" in model.fitted.knowledge.selection
    for options in (("model.name=sasrec",), ("model.name=gru4rec",)):
        with pytest.raises(ConfigurationError, match=r"training\.loss is sampled, and model\.name is"):
            Recommender(small_config(*SAMPLED, *options)).fit(data, progress=False)
