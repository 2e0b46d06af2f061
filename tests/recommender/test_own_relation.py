"""The relation of docs/own-relation.md is trained, explained, saved, grown, updated, searched and exported."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from tests.support.recommenders import small_config, small_dataset

from attrformer.data.dataset import Dataset
from attrformer.errors import AttrFormerWarning, CheckpointError, ConfigurationError
from attrformer.recommender import AttrFormer, Recommender
from attrformer.relations import registry
from attrformer.retrieval import Index, IndexOptions

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "own-relation.md"


@pytest.fixture(scope="module")
def known() -> Iterator[None]:
    """The file of the document as a module."""
    before = dict(registry._registered)
    module = types.ModuleType("series")
    block = re.search(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    sys.modules["series"] = module
    exec(compile(block[1], "series.py", "exec"), module.__dict__)
    yield
    del sys.modules["series"]
    registry._registered.clear()
    registry._registered.update(before)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return small_dataset()


@pytest.fixture(scope="module")
def model(known: None, data: Dataset) -> AttrFormer:
    return AttrFormer(small_config("relations.own=[{name: series, words: 1}]")).fit(data, progress=False)


@pytest.fixture
def copy(model: AttrFormer, tmp_path: Path) -> AttrFormer:
    model.save(tmp_path / "saved")
    return AttrFormer.load(tmp_path / "saved", device="cpu")


def test_it_says_what_it_is_meant_to(model: AttrFormer, data: Dataset) -> None:
    assert data.item_titles is not None
    first = [title.split()[0] for title in data.item_titles]
    expected = [float(other == first[0]) for other in first]
    expected[0] = 0.0
    assert model.fitted.relations["series"].row(0).tolist() == expected


def test_it_has_a_head_and_parameters_of_its_own(model: AttrFormer) -> None:
    names = [name for name, _ in model.fitted.network.named_parameters() if name.startswith("relations.series.")]
    assert "relations.series.gate.weight" in names and "relations.series.recency.by_distance" in names
    assert any(name.endswith("attention.temperature.series") for name, _ in model.fitted.network.named_parameters())
    assert "series" in model.relation_strengths()


def test_it_is_explained(model: AttrFormer, data: Dataset) -> None:
    told = model.explain(["user-0001"], k=20).filter(pl.col("component") == "series").drop_nulls("reason")
    assert len(told) and told["reason"].str.starts_with("Same series as “").all()
    titles = dict(zip(data.item_ids.to_list(), data.item_titles or (), strict=True))
    for item, history in told.select("item_id", "history").iter_rows():
        assert titles[item].split()[0] == titles[history].split()[0]


def test_a_saved_model_answers_the_same_and_needs_the_file(model: AttrFormer, copy: AttrFormer, tmp_path: Path) -> None:
    assert copy.recommend(k=8).equals(model.recommend(k=8)) and copy.explain(k=2).equals(model.explain(k=2))
    registered = registry._registered.pop("series")
    try:
        with pytest.raises(CheckpointError, match="is known once the file that registers it is named"):
            AttrFormer.load(tmp_path / "saved")
    finally:
        registry._registered["series"] = registered


def test_new_items_join_their_series(copy: AttrFormer, data: Dataset) -> None:
    assert data.item_titles is not None
    title = data.item_titles[0].split()[0]
    columns = {"item_id": ["new-1", "new-2"], "title": [f"{title} Anew", "Alone Anew"]}
    empty = {name: [None, None] for name in copy.fitted.relations.item_columns}
    copy.add_items(pl.DataFrame(columns | empty))
    row = copy.fitted.relations["series"].row(0)
    assert row[-2:].tolist() == [1.0, 0.0]
    related = copy.similar_items("new-1", by="series", k=1000)["similar_item_id"].to_list()
    first = [text.split()[0] for text in data.item_titles]
    assert sorted(related) == sorted(i for i, own in zip(data.item_ids.to_list(), first, strict=True) if own == title)
    copy.update(pl.DataFrame({"user_id": ["user-0001"], "item_id": ["new-1"], "timestamp": [2_000_000_000]}))
    assert copy.fitted.relations["series"].row(0)[-2:].tolist() == [1.0, 0.0]


def test_the_index_finds_what_the_model_finds(model: AttrFormer) -> None:
    index = Index.build(model, IndexOptions(method="approximate", content=120))
    found = index.search(k=5)
    assert index.approximate
    assert found["item_id"].to_list() == model.recommend(k=5)["item_id"].to_list()


def test_an_exported_model_gives_the_same_scores(model: AttrFormer, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from attrformer.onnx import OnnxRecommender, export_model

    export_model(model, tmp_path / "onnx")
    histories = {"a": ["item-0003", "item-0010"], "b": ["item-0050"]}
    found = OnnxRecommender.load(tmp_path / "onnx").recommend(histories, k=5)
    right = model.recommend(histories=histories, k=5)
    assert found["item_id"].to_list() == right["item_id"].to_list()
    np.testing.assert_allclose(found["score"].to_numpy(), right["score"].to_numpy(), atol=1e-4)


def test_unknown_names_and_options_are_told(known: None) -> None:
    with pytest.raises(ConfigurationError, match=r"Did you mean series\?"):
        small_config("relations.own=[{name: serie}]")
    with pytest.raises(ConfigurationError, match=r"word"):
        small_config("relations.own=[{name: series, word: 1}]")
    baseline = small_config("relations.own=[{name: series}]", "model.name=sasrec")
    assert baseline.model.reads(baseline.relations).own == ()


def test_a_model_that_does_not_read_it_says_so(known: None, data: Dataset) -> None:
    config = small_config("relations.own=[{name: series}]", "model.name=sasrec", "training.epochs=1")
    with pytest.warns(AttrFormerWarning, match="'sasrec', which reads none of relations.own: series"):
        Recommender(config).fit(data, progress=False)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("series", "builds 'series'. Give a list of relations"),
        (["series"], r"builds \['series'\]. Give a list of relations"),
        (3, "'series' is of another size than the catalogue"),
        (-1, "'series' says what is not finite, or negative"),
    ],
)
def test_what_is_no_relation_of_the_catalogue_is_refused(
    known: None, data: Dataset, monkeypatch: pytest.MonkeyPatch, made: Any, message: str
) -> None:
    kind = registry.registered("series").relation  # type: ignore[union-attr]
    if isinstance(made, int):
        size = made if made > 0 else data.item_count
        made = [kind.of_items("series", [sparse.csr_array(np.full((size, size), float(made)))], None)]  # type: ignore[attr-defined]
    monkeypatch.setattr(kind, "build", classmethod(lambda *_: made))
    with pytest.raises(ConfigurationError, match=message):
        AttrFormer(small_config("relations.own=[{name: series}]")).fit(data, progress=False)
