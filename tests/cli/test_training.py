"""Training by the command: its options, and runs that go on."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from tests.cli.commands import TINY, call, settings, write_shop
from tests.support.signalled import signalled


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("data") / "shop")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "training.epoch=3"], "training.epochs"),
        (["--set", "training.epochs=three"], "'three'"),
        (["--config", "absent.yaml"], "absent.yaml"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    shop: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    result = call("train", "--data", shop, "--out", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_absent_data_folder(tmp_path: Path) -> None:
    result = call("train", "--data", tmp_path / "nothing", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "nothing" in result.stderr


@pytest.mark.slow
def test_configuration_file_and_settings_together(shop: Path, tmp_path: Path) -> None:
    tiny: dict[str, dict[str, object]] = {}
    for setting in TINY:
        name, _, value = setting.partition("=")
        part, _, option = name.partition(".")
        tiny.setdefault(part, {})[option] = json.loads(value) if value[0].isdigit() else value
    (tmp_path / "tiny.yaml").write_text(json.dumps(tiny))
    arguments = ("--config", tmp_path / "tiny.yaml", "--set", "training.epochs=1", "--quiet")
    result = call("train", "--data", shop, "--out", tmp_path / "run", *arguments)
    assert result.exit_code == 0, result.stderr
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (stored["model"]["width"], stored["training"]["epochs"]) == (16, 1)


@pytest.mark.slow
def test_resume_goes_on_with_the_options_of_the_run(shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("train", "--data", shop, "--out", folder, *settings("training.epochs=1"), "-q").exit_code == 0
    result = call("train", "--data", shop, "--out", folder, "--resume", "--set", "training.epochs=2", "-q")
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert json.loads((folder / "config.json").read_text())["model"]["width"] == 16
    other = call("train", "--data", shop, "--out", folder, "--resume", "--set", "model.width=32", "-q")
    assert other.exit_code == 2
    assert "model.width" in other.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("loss", [(), ("training.loss=sampled", "training.negatives=8")], ids=["full", "sampled"])
def test_a_run_interrupted_after_an_evaluation_within_an_epoch_ends_as_if_it_never_was(
    shop: Path, tmp_path: Path, loss: tuple[str, ...]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    options = settings("training.epochs=4", "training.evaluations_per_epoch=4", "training.batch_targets=64", *loss)
    assert call("train", "--data", shop, "--out", whole, "--quiet", *options).exit_code == 0
    arguments = ["train", "--data", str(shop), "--out", str(cut), "--quiet", *options]
    # Asked to end by the first evaluation, of which it then must not lose anything.
    done = signalled(signal.SIGINT, "attrformer.recommender.run_folder:RunFolder.add_epoch", 1, *arguments)
    assert done.returncode == 130 and "--resume" in done.stderr, done.stderr

    def lines(folder: Path) -> list[dict[str, object]]:
        found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return [{**line, "seconds": 0, "targets_per_second": 0} for line in found]

    assert lines(cut) == lines(whole)[:1] and lines(whole)[0]["passes"] < 0.5  # type: ignore[operator]
    result = call(*arguments, "--resume")
    assert result.exit_code == 0, result.stderr
    assert lines(cut) == lines(whole) and len(lines(whole)) == 16
    models = [(folder / "model" / "model.safetensors").read_bytes() for folder in (whole, cut)]
    assert models[0] == models[1]
    assert "best of 4 evaluations an epoch by validation NDCG@20" in (whole / "figures.json").read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_interrupted_training_can_be_resumed(shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", "--data", str(shop), "--out", str(folder), "--quiet"]
    options = settings("training.epochs=9", "training.batch_targets=64")
    ended = signalled(signal.SIGINT, "attrformer.recommender.progress:TrainingWatcher.batch", 20, *words, *options)
    assert ended.returncode == 130, ended.stderr
    assert "--resume" in ended.stderr and "Traceback" not in ended.stderr
    done = len((folder / "metrics.jsonl").read_text().splitlines())
    assert 0 < done < 8
    result = call(*words, "--resume", "--set", f"training.epochs={done + 1}")
    assert result.exit_code == 0, result.stderr
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == done + 1
