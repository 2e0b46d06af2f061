from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.recommender.saved import as_version_3, by_kind, forge, read

from attrformer.errors import CheckpointError
from attrformer.recommender import AttrFormer


@pytest.fixture
def folder(model: AttrFormer, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_model_answers_without_its_dataset(model: AttrFormer, folder: Path) -> None:
    loaded = AttrFormer.load(folder, device="cpu")
    strangers = [["item-0003", "item-0010"], ["item-0050"]]
    assert loaded.config == model.config
    assert loaded.recommend(k=8).equals(model.recommend(k=8))
    assert loaded.recommend(histories=strangers).equals(model.recommend(histories=strangers))
    assert loaded.explain(k=2).equals(model.explain(k=2))
    assert loaded.relation_strengths() == model.relation_strengths()
    assert loaded.fitted.knowledge.titles == model.fitted.knowledge.titles
    assert loaded.fitted.knowledge.figures == model.fitted.knowledge.figures
    for attribute in model.pair_attributes():
        names, matrix = loaded.strongest_pairs(attribute)
        assert (names, matrix.tolist()) == (
            model.strongest_pairs(attribute)[0],
            model.strongest_pairs(attribute)[1].tolist(),
        )


@pytest.mark.slow
def test_a_model_can_be_saved_over_and_again(model: AttrFormer, folder: Path, tmp_path: Path) -> None:
    AttrFormer.load(folder, device="cpu").save(folder)
    AttrFormer.load(folder, device="cpu").save(tmp_path / "copy")
    assert (tmp_path / "copy" / "model.json").read_bytes() == (folder / "model.json").read_bytes()
    assert AttrFormer.load(tmp_path / "copy", device="cpu").recommend(k=3).equals(model.recommend(k=3))
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_both_files_may_be_read_by_the_same_people(folder: Path) -> None:
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir() if path.suffix in (".json", ".safetensors")}
    assert len(modes) == 1


def test_the_run_folder_holds_the_model(model: AttrFormer, run: Path) -> None:
    for folder in (run / "model", run):
        assert AttrFormer.load(folder, device="cpu").recommend(k=3).equals(model.recommend(k=3))


def test_an_absent_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no model.json. Give the folder of a saved model or of a run"):
        AttrFormer.load(tmp_path / "nowhere")


def test_damaged_files_are_refused(folder: Path, tmp_path: Path) -> None:
    def damaged(name: str, content: bytes) -> Path:
        copy = tmp_path / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        (copy / name).write_bytes(content)
        return copy

    tensors, text = (folder / "model.safetensors").read_bytes(), (folder / "model.json").read_bytes()
    described = json.loads(text)
    for copy in (
        damaged("model.safetensors", tensors[: len(tensors) // 2]),
        damaged("model.json", text[: len(text) // 2]),
        damaged("model.json", b"[]"),
        damaged("model.json", json.dumps({**described, "relations": {}}).encode()),
        damaged("model.json", json.dumps({**described, "users": {"type": "Odd", "values": []}}).encode()),
        damaged("model.json", json.dumps({**described, "config": []}).encode()),
    ):
        with pytest.raises(CheckpointError, match=r"cannot be read|not known here"):
            AttrFormer.load(copy)
    unknown = forge(tmp_path / "unknown", {**described, "config": {"no": 1}}, read(folder)[1])
    with pytest.raises(CheckpointError, match=r"not known here\. Unknown option 'no'\."):
        AttrFormer.load(unknown)
    (damaged("model.json", text) / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        AttrFormer.load(tmp_path / "damaged")


def test_files_of_two_models_are_not_mixed(model: AttrFormer, folder: Path, tmp_path: Path) -> None:
    described, tensors = read(folder)
    name = next(name for name in tensors if name.startswith("parameter/"))
    other = forge(tmp_path / "other", described, tensors | {name: tensors[name] + 1})
    (folder / "model.json").write_bytes((other / "model.json").read_bytes())
    with pytest.raises(CheckpointError, match="of different models"):
        AttrFormer.load(folder)


def test_another_version_is_refused(folder: Path) -> None:
    described = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**described, "version": 99}))
    with pytest.raises(CheckpointError, match="format version 99, this library reads 1 to 4"):
        AttrFormer.load(folder)


def test_models_of_version_3_answer_under_the_names_of_today(model: AttrFormer, folder: Path, tmp_path: Path) -> None:
    described, tensors = as_version_3(*read(folder))
    assert "parameter/relations.near.gate.bias" in tensors and "moment" in described["config"]["relations"]
    assert {"near", "identity"} <= set(described["strengths"]) and "repeat" not in json.dumps(described["relations"])
    old = AttrFormer.load(forge(tmp_path / "old", described, tensors), device="cpu")
    assert old.config == model.config and old.relation_strengths() == model.relation_strengths()
    assert old.explain(k=3).equals(model.explain(k=3))
    old.save(tmp_path / "new")
    assert (tmp_path / "new" / "model.json").read_bytes() == (folder / "model.json").read_bytes()


def test_models_of_version_2_answer_as_they_did(model: AttrFormer, folder: Path, tmp_path: Path) -> None:
    described, tensors = by_kind(*read(folder))
    old = AttrFormer.load(forge(tmp_path / "old", {**described, "version": 2}, tensors), device="cpu")
    assert list(old.fitted.relations) == list(model.fitted.relations)
    assert old.recommend(k=8).equals(model.recommend(k=8)) and old.explain(k=2).equals(model.explain(k=2))
    old.save(tmp_path / "new")
    assert (tmp_path / "new" / "model.json").read_bytes() == (folder / "model.json").read_bytes()
