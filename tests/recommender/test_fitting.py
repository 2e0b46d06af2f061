from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from tests.support.recommenders import small_config, small_dataset
from torch import Tensor

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.errors import CheckpointError, ConfigurationError, DataError
from attrformer.ranks import Ranks
from attrformer.recommender import AttrFormer, Config, Recommender, Stopped
from attrformer.recommender.fitting import Fit, fingerprint, sample_targets
from attrformer.recommender.progress import TrainingWatcher
from attrformer.training.checkpoint import Progress


def weights(model: AttrFormer) -> dict[str, Tensor]:
    return dict(model.fitted.network.named_parameters())


def assert_equal_weights(first: AttrFormer, second: AttrFormer) -> None:
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def metrics(run: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "targets_per_second")} for line in lines]


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ctrl-C, a real signal to this process, right after the given step."""
    original = TrainingWatcher.batch

    def batch(self: TrainingWatcher, progress: Progress, batches: int, loss: float, targets: int) -> None:
        original(self, progress, batches, loss, targets)
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(TrainingWatcher, "batch", batch)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(model: AttrFormer, dataset: Dataset) -> None:
    torch.manual_seed(123)
    again = AttrFormer(small_config()).fit(dataset, progress=False)
    assert_equal_weights(model, again)
    other = AttrFormer(small_config("seed=1")).fit(dataset, progress=False)
    assert not torch.equal(weights(other)["position"], weights(model)["position"])


@pytest.mark.slow
def test_training_sums_gradients_in_a_fixed_order(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        TrainingWatcher, "batch", lambda *arguments: seen.append(torch.are_deterministic_algorithms_enabled())
    )
    AttrFormer(small_config("training.epochs=1", "training.device=cpu")).fit(dataset, progress=False)
    assert seen and all(seen)


@pytest.mark.slow
def test_fit_leaves_the_callers_torch_as_it_was(dataset: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before = torch.get_num_threads()
    AttrFormer(small_config("training.epochs=1")).fit(dataset, progress=False)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 11])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    dataset: Dataset, model: AttrFormer, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    first, second = (int(str(line["step"])) for line in metrics(run))
    assert 3 < first < 11 < second, "the steps are to lie inside the two epochs"
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        with pytest.raises(Stopped):
            AttrFormer(small_config()).fit(dataset, run=tmp_path, progress=False)
    assert (tmp_path / "checkpoint" / "state.json").exists()
    assert not (tmp_path / "model").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = AttrFormer(small_config()).fit(dataset, run=tmp_path, resume=True, progress=False)
    assert_equal_weights(model, resumed)
    assert metrics(tmp_path) == metrics(run)
    assert json.loads((tmp_path / "figures.json").read_text()) == json.loads((run / "figures.json").read_text())


@pytest.mark.slow
def test_more_epochs_may_be_asked_of_a_finished_run(dataset: Dataset, tmp_path: Path, model: AttrFormer) -> None:
    AttrFormer(small_config("training.epochs=1")).fit(dataset, run=tmp_path, progress=False)
    longer = AttrFormer(small_config()).fit(dataset, run=tmp_path, resume=True, progress=False)
    assert [line["epoch"] for line in metrics(tmp_path)] == [0, 1]
    assert_equal_weights(model, longer)


def test_a_run_is_not_overwritten(dataset: Dataset, run: Path, model: AttrFormer) -> None:
    with pytest.raises(ConfigurationError, match=r"holds a run already. Resume it"):
        AttrFormer(small_config()).fit(dataset, run=run, progress=False)


def test_a_run_is_resumed_with_its_own_options(dataset: Dataset, run: Path, model: AttrFormer) -> None:
    changed = small_config("training.learning_rate=0.1", "relations.cooccurrence_near.window=3", "training.epochs=9")
    with pytest.raises(
        ConfigurationError, match=r"other values of relations.cooccurrence_near.window, training.learning_rate\."
    ):
        AttrFormer(changed).fit(dataset, run=run, resume=True, progress=False)


def test_a_run_is_resumed_with_its_own_data(run: Path, model: AttrFormer) -> None:
    with pytest.raises(CheckpointError, match="made with other data"):
        AttrFormer(small_config()).fit(small_dataset(seed=1), run=run, resume=True, progress=False)


def test_resuming_needs_a_folder(dataset: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="nothing to resume without a run folder"):
        AttrFormer(small_config()).fit(dataset, resume=True)


def test_a_mistaken_option_leaves_the_folder_free(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"relations.item_attributes names 'colour'"):
        AttrFormer(small_config("relations.item_attributes=[colour]")).fit(dataset, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bare_interactions_are_enough(tmp_path: Path) -> None:
    source = small_dataset(users=60)
    rows = source.sequences.row_of_position()
    table = pl.DataFrame({"user_id": rows, "item_id": source.sequences.items})
    dataset = Dataset.from_frames(table)
    model = AttrFormer(small_config("training.epochs=1", "relations.similar_users=null")).fit(dataset, progress=False)
    # Histories are too short for the wide window and for similar users.
    assert set(model.relation_strengths()) == {"cooccurrence_near", "repeat"}
    assert model.pair_attributes() == []
    model.save(tmp_path)
    assert AttrFormer.load(tmp_path, device="cpu").recommend(k=3).equals(model.recommend(k=3))
    # Digits as text, as a command line gives them.
    assert model.recommend(["3"], k=2)["user_id"].to_list() == [3, 3]


def test_every_part_can_be_switched_off(dataset: Dataset) -> None:
    off = (
        "model.catalogue_evidence=false",
        "model.relation_heads=false",
        "model.similar_user_states=false",
        "relations.similar_users=false",
        "training.epochs=1",
        "target.strength=0",
    )
    model = AttrFormer(small_config(*off)).fit(dataset, progress=False)
    assert model.relation_strengths() == {}
    parts = model.explain(["user-0001"], k=2)
    assert parts["component"].to_list() == ["content", "content"]
    assert parts["score"].to_list() == parts["contribution"].to_list()


@pytest.mark.slow
def test_ratings_and_edge_tables(dataset: Dataset, tmp_path: Path) -> None:
    sequences = dataset.sequences
    count = len(sequences.items)
    rows = sequences.row_of_position()
    interactions = pl.DataFrame(
        {
            "user_id": dataset.user_ids.decode(rows),
            "item_id": dataset.item_ids.decode(sequences.items),
            "timestamp": sequences.times,
            "rating": np.arange(count) % 5 + 1.0,
        }
    )
    ids = dataset.item_ids.to_list()
    edges = pl.DataFrame({"source_item_id": ids[:-1], "target_item_id": ids[1:], "relation": "also_bought"})
    rated = Dataset.from_frames(interactions, item_relations=edges)
    asked = small_config("training.epochs=1", "relations.dense_items=50", 'relations.edges=["also_bought"]')
    model = AttrFormer(asked).fit(rated, progress=False)
    assert "edge_also_bought" in model.relation_strengths()
    line = model.evaluate(rated).protocol.line()
    assert "item_relations as relations: also_bought; may know of targets" in line
    model.save(tmp_path)
    loaded = AttrFormer.load(tmp_path, device="cpu")
    assert loaded.recommend(k=3).equals(model.recommend(k=3))
    # Strangers come without ratings and times.
    assert loaded.explain(histories=[ids[:2]], k=2)["score"].is_finite().all()


@pytest.mark.slow
def test_a_time_split(dataset: Dataset) -> None:
    model = AttrFormer(small_config("training.epochs=1", "data.split=time")).fit(dataset, progress=False)
    assert "| time test |" in model.evaluate(dataset).protocol.line()


@pytest.mark.slow
def test_the_core_filter_comes_first(dataset: Dataset) -> None:
    model = AttrFormer(small_config("training.epochs=1", "data.core=6")).fit(dataset, progress=False)
    assert len(model.fitted.knowledge.item_ids) < dataset.item_count
    assert model.evaluate(dataset).protocol.items == len(model.fitted.knowledge.item_ids)


def test_histories_of_one_interaction_teach_nothing() -> None:
    dataset = Dataset.from_frames(pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 2], "item_id": [1, 2, 3, 3, 2, 1]}))
    with pytest.raises(DataError, match="no user has two training interactions"):
        AttrFormer(small_config()).fit(dataset, progress=False)


@pytest.mark.slow
def test_dropout_goes_by_the_length_of_histories(model: AttrFormer, dataset: Dataset) -> None:
    assert model.fitted.knowledge.dropout == 0.5
    chosen = AttrFormer(small_config("model.dropout=0.1", "training.epochs=1")).fit(dataset, progress=False)
    assert chosen.fitted.knowledge.dropout == 0.1


def test_the_sample_of_targets_is_fixed(dataset: Dataset) -> None:
    targets = small_config().data.split_of(dataset).validation
    assert sample_targets(targets, 10_000, 0) is targets
    one, same, other = (sample_targets(targets, 20, seed) for seed in (0, 0, 1))
    assert one.users.tolist() == same.users.tolist() != other.users.tolist()
    assert len(one) == len(one.contexts) == 20
    rows = np.searchsorted(targets.users, one.users)
    assert one.items.tolist() == targets.items[rows].tolist()


def test_the_fingerprint_sees_what_training_reads(dataset: Dataset) -> None:
    config = small_config()
    mark = fingerprint(dataset, config.data.split_of(dataset))
    assert fingerprint(small_dataset(), config.data.split_of(dataset)) == mark
    bare = replace(dataset, item_attributes={})
    assert fingerprint(bare, config.data.split_of(bare)) != mark


@pytest.mark.slow
def test_progress_is_shown_on_standard_error(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    AttrFormer(small_config("training.epochs=1")).fit(dataset)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 1/1 | loss" in shown.err
    assert "seen=ranked NDCG@20 0." in shown.err


class OneOfTwo(Ranks):
    size = 2


def test_several_ranks_refuse_a_loss_that_they_cannot_share(dataset: Dataset) -> None:
    config = override(Config(), ["model.name=bert4rec"])
    fit = Fit(config, dataset, config.data.split_of(dataset), None, False, False, ranks=OneOfTwo())
    with pytest.raises(ConfigurationError, match=r"model\.name is .bert4rec..*Train it with one"):
        fit()


@pytest.mark.parametrize("name", ["sasrec", "tisasrec"])
def test_a_catalogue_of_one_item_has_nothing_to_tell_it_from(name: str) -> None:
    log = pl.DataFrame({"user_id": ["a"] * 5 + ["b"] * 5, "item_id": ["one"] * 10, "timestamp": range(10)})
    model = Recommender({"model": {"name": name, "width": 8, "loss": "binary"}})
    with pytest.raises(ConfigurationError, match="the catalogue has no other"):
        model.fit(Dataset.from_frames(log), progress=False)
