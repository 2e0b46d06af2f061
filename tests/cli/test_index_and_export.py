"""`attrformer index` and `attrformer export` leave in the run what answers as its model does."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.relations.builders import dataset, sequences, walks
from tests.retrieval.builders import assert_same_answers, histories_of, model_of
from typer.testing import CliRunner, Result

from attrformer.cli.app import app
from attrformer.recommender import Recommender
from attrformer.retrieval import Index


def run_command(*arguments: object) -> Result:
    result = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    model_of(layers=1).save(folder / "model")
    return folder


def test_an_index_lies_in_the_run_and_answers(run: Path) -> None:
    pytest.importorskip("usearch")
    result = run_command("index", run, "--method", "approximate", "--content", "80")

    assert result.exit_code == 0 and "80 items indexed" in result.stderr
    model = Recommender.load(run / "model", device="cpu")
    made = Index.load(run / "index", model)
    assert made.approximate and made.options.content == 80
    assert_same_answers(made.search(k=5), model.recommend(k=5))


def test_small_catalogues_need_no_graph(run: Path, tmp_path: Path) -> None:
    result = run_command("index", run, "--out", tmp_path / "index")

    assert "searched exactly" in result.stderr
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["index.json"]
    (tmp_path / "file").write_text("")
    refused = run_command("index", run, "--out", tmp_path / "file")
    assert refused.exit_code == 2 and "is a file" in refused.stderr


@pytest.mark.slow
def test_an_exported_run_answers(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from attrformer.onnx import OnnxRecommender

    # Few relations are translated in little time.
    plain = dataset(sequences(walks(users=20, items=30, seed=0)), 30)
    model = model_of(plain, layers=1, one_of_a_kind=True)
    model.save(tmp_path / "run" / "model")
    result = run_command("export", tmp_path / "run", "--format", "onnx", "--out", tmp_path / "onnx")

    assert result.exit_code == 0 and "Exported to" in result.stderr
    new = histories_of(model, 5)
    found = OnnxRecommender.load(tmp_path / "onnx").recommend(new, k=5)
    assert_same_answers(found, model.recommend(histories=new, k=5))
