"""The index answers what the model answers, keeps to the state of its model, and survives on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from tests.relations.changing import changing_shop
from tests.retrieval.builders import assert_same_answers, grown, histories_of, model_of

from attrformer.errors import CheckpointError, ConfigurationError, UnknownIdError
from attrformer.recommender import Config, Recommender
from attrformer.recommender.ranking import Choice
from attrformer.retrieval import Index, IndexOptions

pytest.importorskip("usearch")

ALL = IndexOptions(method="approximate", content=80)
FEW = IndexOptions(method="approximate", content=12)


@pytest.fixture(scope="module")
def model() -> Recommender:
    return model_of()


@pytest.fixture(scope="module")
def index(model: Recommender) -> Index:
    return Index.build(model, ALL)


@pytest.mark.parametrize("sparse", [True, False])
def test_candidates_that_cover_the_catalogue_give_what_the_model_gives(sparse: bool) -> None:
    model = model_of(sparse=sparse)
    index = Index.build(model, ALL)

    assert index.approximate
    assert_same_answers(index.search(k=7), model.recommend(k=7))
    new = histories_of(model, 9)
    for seen in (True, False):
        assert_same_answers(
            index.search(histories=new, k=5, hide_seen=seen), model.recommend(histories=new, k=5, hide_seen=seen)
        )


def test_each_history_finds_the_values_of_its_own_time() -> None:
    model = model_of(changing_shop())
    index = Index.build(model, IndexOptions(method="approximate", content=30))
    assert_same_answers(index.search(k=7), model.recommend(k=7))
    as_of = int(model.fitted.relations["item_state"].times[0])
    assert_same_answers(index.search(k=7, as_of=as_of), model.recommend(k=7, as_of=as_of))
    assert not index.search(k=7, as_of=as_of).equals(index.search(k=7))


def test_small_catalogues_are_searched_exactly_by_default(model: Recommender) -> None:
    index = Index.build(model)

    assert not index.approximate and index.memory == 0
    assert index.search(k=7).equals(model.recommend(k=7))


def test_few_candidates_still_hold_nearly_all_of_the_best(model: Recommender) -> None:
    found, right = Index.build(model, FEW).search(k=5), model.recommend(k=5)

    together = found.join(right, on=["user_id", "item_id"])
    assert len(together) >= 0.95 * len(right)
    # Whatever is named is scored with all parts.
    assert np.allclose(together["score"], together["score_right"], atol=1e-4)


def test_what_a_relation_names_is_found_without_the_content_part() -> None:
    model = model_of()
    with torch.no_grad():
        for name, parameter in model.fitted.network.named_parameters():
            if "edge" in name and name.endswith("gate.bias"):
                parameter.fill_(50.0)
    index = Index.build(model, IndexOptions(method="approximate", content=1))

    assert_same_answers(index.search(k=3), model.recommend(k=3))


def test_arguments_are_those_of_recommend(model: Recommender, index: Index) -> None:
    new, some = histories_of(model, 4), [f"i{n}" for n in range(0, 80, 3)]
    profiles = {"new-0": {"region": "r1"}, "nobody": {"region": "r2"}}
    for more in ({"candidates": some}, {"exclude": some}, {"user_attributes": profiles}, {"k": 200}):
        assert_same_answers(
            index.search(histories=new, **more),  # type: ignore[arg-type]
            model.recommend(histories=new, **more),  # type: ignore[arg-type]
        )
    with pytest.raises(UnknownIdError, match="i999"):
        index.search(histories=[["i999"]])
    assert len(index.search(histories=[["i999", "i1"]], on_unknown="skip", k=3)) == 3


def test_answers_do_not_depend_on_who_else_is_asked_about(index: Index, model: Recommender) -> None:
    together = index.search(k=4)
    for user in ("u0", "u17"):
        alone = index.search(users=[user], k=4)
        assert_same_answers(alone, together.filter(pl.col("user_id") == user))


def test_codes_and_ids_agree(index: Index, model: Recommender) -> None:
    histories = model.fitted.knowledge.histories
    found = index.search_codes(np.array([3]), histories.rows(np.array([3])), Choice(5))
    ids = index.search(users=["u3"], k=5)

    assert [f"i{code}" for code in found[0][0]] == ids["item_id"].to_list()
    assert np.allclose(found[0][1], ids["score"])


def test_an_index_is_read_as_it_was_written(index: Index, model: Recommender, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    model.save(tmp_path / "model")
    again = Index.load(tmp_path / "index", Recommender.load(tmp_path / "model", device="cpu"))

    assert again.options == ALL
    assert again.search(k=6).equals(index.search(k=6))
    assert sorted(path.suffix for path in (tmp_path / "index").iterdir()) == [".json", ".usearch"]


def test_saving_again_replaces_the_graph(index: Index, model: Recommender, tmp_path: Path) -> None:
    Index.build(model, IndexOptions(method="approximate", connectivity=4, number="f32")).save(tmp_path)
    index.save(tmp_path)

    assert len(list(tmp_path.glob("*.usearch"))) == 1 and not list(tmp_path.glob("*.tmp"))
    assert Index.load(tmp_path, model).options == ALL
    Index.build(model, IndexOptions(method="exact")).save(tmp_path)
    assert not list(tmp_path.glob("*.usearch"))


def test_an_index_of_another_state_of_the_model_is_refused(index: Index, tmp_path: Path) -> None:
    index.save(tmp_path)
    other = model_of()
    with torch.no_grad():
        next(other.fitted.network.parameters()).add_(0.5)

    with pytest.raises(CheckpointError, match="another state of the model"):
        Index.load(tmp_path, other)


def test_a_model_that_grows_leaves_its_index_behind(tmp_path: Path) -> None:
    model = model_of()
    index = Index.build(model, ALL)
    index.save(tmp_path)
    before = index.search(users=["u1"], k=3)
    model.update(pl.DataFrame({"user_id": ["u1"], "item_id": [before["item_id"][0]], "timestamp": [10**9]}))

    with pytest.raises(CheckpointError, match="changed since"):
        index.search(users=["u1"], k=3)
    # The item vectors are the same, and relations are read from the model.
    again = Index.load(tmp_path, model)
    assert_same_answers(again.search(users=["u1"], k=3), model.recommend(users=["u1"], k=3))


@pytest.mark.parametrize("damage", ["missing", "cut", "no json", "other version", "something else"])
def test_damage_is_said(index: Index, model: Recommender, tmp_path: Path, damage: str) -> None:
    index.save(tmp_path)
    graph, description = next(tmp_path.glob("*.usearch")), tmp_path / "index.json"
    if damage == "missing":
        graph.unlink()
    elif damage == "cut":
        graph.write_bytes(graph.read_bytes()[:-100])
    elif damage == "no json":
        description.write_text("{")
    else:
        change = {"version": 99} if damage == "other version" else {"format": "x"}
        description.write_text(json.dumps(json.loads(description.read_text()) | change))

    with pytest.raises(CheckpointError, match="index"):
        Index.load(tmp_path, model)
    with pytest.raises(CheckpointError, match="holds no index"):
        Index.load(tmp_path / "nowhere", model)


def test_options_are_checked() -> None:
    for wrong in ({"method": "fast"}, {"content": 0}, {"number": "i8"}, {"connectivity": 1}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            IndexOptions(**wrong)  # type: ignore[arg-type]


def test_models_without_item_vectors_are_searched_exactly(tmp_path: Path) -> None:
    from tests.relations.builders import shop

    from attrformer.config import override

    config = override(Config(), ["model.name=popularity", "evaluation.resamples=5"])
    model = Recommender(config).fit(shop(), progress=False)

    assert Index.build(model, IndexOptions(exact_items=0)).search(k=3).equals(model.recommend(k=3))
    with pytest.raises(ConfigurationError, match="popularity"):
        Index.build(model, ALL)


def test_items_that_were_added_are_searched_with_whole_rows_too() -> None:
    model = grown(model_of(sparse=False))
    histories = {"old": ["i3", "i5"], "mixed": ["i3", "new-0"], "new": ["new-1"]}

    found = Index.build(model, ALL).search(histories=histories, k=9)
    assert_same_answers(found, model.recommend(histories=histories, k=9))
