"""An exported model runs in onnxruntime and answers what the model answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tests.onnx.test_graph import inputs_of
from tests.relations.builders import shop
from tests.retrieval.builders import assert_same_answers, grown, histories_of, model_of
from tests.test_damage import COUNT, check

from attrformer.config import override
from attrformer.errors import (
    AttrFormerWarning,
    CheckpointError,
    ConfigurationError,
    DataError,
    ShortListWarning,
    UnknownIdError,
    UnknownValueWarning,
)
from attrformer.onnx import OnnxRecommender, export_model
from attrformer.onnx.folder import DESCRIPTION, GRAPH
from attrformer.recommender import Config, Recommender
from attrformer.training.checkpoint import parameters_of

pytestmark = pytest.mark.slow

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def model() -> Recommender:
    """Sparse rows; the graph's tests look at whole ones, and at further relations of the same kinds."""
    return model_of(layers=1, one_of_a_kind=True)


@pytest.fixture(scope="module")
def folder(model: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "onnx"
    export_model(model, folder)
    return folder


@pytest.fixture(scope="module")
def exported(folder: Path) -> OnnxRecommender:
    return OnnxRecommender.load(folder)


RULES: tuple[dict[str, Any], ...] = (
    {"where": "price < 0.7"},
    {"where": pl.col("price") < 0.7, "hide_seen": False},
    {"boost": [("price < 0.7", 2.0)]},
    {"at_most": {"brand": 1}},
    {"where": "price > 0.2", "at_most": {"brand": 2}, "boost": [("price < 0.5", -1.0)]},
    {"rules": {"where": "price < 0.7", "at_most": {"brand": 2}}, "at_most": {"brand": 1}},
    {"where": "price < 0.7", "item_values": {"i1": {"price": 0.9}, "i2": {"price": 0.1}}},
    {"candidates": {"new-1": ["i1", "i2", "i3"], "new-2": []}, "exclude": {"new-3": ["i4", "i5"]}},
)


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "+".join(rules))
def test_lists_under_rules_are_those_of_the_model(
    model: Recommender, exported: OnnxRecommender, rules: dict[str, Any]
) -> None:
    histories, ids = histories_of(model, 7), model.fitted.knowledge.item_ids.to_list()
    more = rules | {"pinned": {2: ids[3], 4: ids[5]}, "exclude": [ids[5], ids[6]]}
    for asked in (rules, more):
        found, right = exported.recommend(histories, k=5, **asked), model.recommend(histories=histories, k=5, **asked)
        assert_same_answers(found, right)
        assert found.get_column("pinned", default=None) is None or found["pinned"].equals(right["pinned"])


def test_rules_that_an_export_cannot_apply_are_refused(exported: OnnxRecommender, model: Recommender) -> None:
    histories = histories_of(model, 1)
    for rules, said in (
        ({"where": "prise < 1"}, "Did you mean 'price'"),
        ({"rules": {"diversity": 0.5}}, "diversity reads"),
        ({"rules": {"new_items": {"share": 0.5}}}, "new_items reads"),
        ({"pinned": {99: model.fitted.knowledge.item_ids.to_list()[0]}}, "position 99"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            exported.recommend(histories, k=5, **rules)
    with pytest.raises(UnknownIdError, match="pinned: 'nothing'"):
        exported.recommend(histories, pinned=["nothing"])


def test_what_is_unknown_is_warned_of_or_left_out_as_by_the_model(
    exported: OnnxRecommender, model: Recommender
) -> None:
    histories = {"a": ["i1", "ghost", "i2"], "b": ["i3"]}
    asked: dict[str, Any] = {"exclude": ["nowhere", "i5"], "user_attributes": {"a": {"region": "mars"}}, "k": 4}
    with pytest.warns(UserWarning) as found:
        answer = exported.recommend(histories, on_unknown="warn", **asked)
    with pytest.warns(UserWarning) as wanted:
        right = model.recommend(histories=histories, on_unknown="warn", **asked)
    assert sorted(str(one.message) for one in found) == sorted(str(one.message) for one in wanted)
    assert len(found) == 3
    assert_same_answers(answer, right)
    assert exported.recommend(histories, on_unknown="skip", **asked).equals(answer)
    with pytest.raises(DataError, match="empty"):
        exported.recommend([["ghost"]], on_unknown="skip")


def test_rules_that_leave_too_little_are_told_of_as_by_the_model(exported: OnnxRecommender, model: Recommender) -> None:
    histories = histories_of(model, 2)
    rules = {"where": 'price < 0.1 or brand == "nobody"', "exclude": {"new-1": ["i1"]}}
    with pytest.warns(AttrFormerWarning) as found:
        exported.recommend(histories, k=60, **rules)
    with pytest.warns(AttrFormerWarning) as wanted:
        model.recommend(histories=histories, k=60, **rules)
    assert {one.category for one in found} == {UnknownValueWarning, ShortListWarning}
    assert [str(one.message) for one in found] == [str(one.message) for one in wanted]


def test_attributes_may_come_in_a_table(exported: OnnxRecommender, model: Recommender) -> None:
    new = histories_of(model, 3)
    table = pl.DataFrame({"user_id": ["new-0", "else", "new-2"], "region": ["r1", "r0", None], "unread": [1, 2, 3]})
    for attributes in (table, table.to_pandas(), table.head(0)):
        found = exported.recommend(new, user_attributes=attributes)
        right = model.recommend(histories=new, users=list(new), user_attributes=attributes)
        assert type(found) is type(right)
        assert_same_answers(pl.DataFrame(found), pl.DataFrame(right))


@pytest.mark.slow
@pytest.mark.parametrize("users", [[0], [4, 11], list(range(40))], ids=len)
@pytest.mark.parametrize("longest", [1, 3, 12])
def test_scores_are_those_of_the_network(
    model: Recommender, exported: OnnxRecommender, users: list[int], longest: int
) -> None:
    fitted, rows = model.fitted, np.array(users)
    batch, outputs = fitted.outputs(rows, fitted.knowledge.histories.rows(rows).tail(longest))
    asked = {name: tensor.numpy() for name, tensor in inputs_of(batch).items()}
    hidden, scores = exported._session.run(["hidden", "scores"], asked)

    assert np.abs(scores - fitted.scores_of(outputs).numpy()).max() <= 1e-4
    assert np.abs(hidden - outputs.hidden[:, 0].numpy()).max() <= 1e-4


@pytest.mark.slow
def test_lists_mappings_and_tables_are_answered_as_by_the_model(model: Recommender, exported: OnnxRecommender) -> None:
    new = histories_of(model, 12)
    known = {f"u{user}": items for user, items in enumerate(new.values())}
    long = [(user, item, 100 * n + len(user)) for user, row in new.items() for n, item in enumerate(row)]
    table = pl.DataFrame(long, schema=["user_id", "item_id", "timestamp"], orient="row")
    table = table.with_columns(rating=pl.Series(np.arange(len(table)) % 5 + 1.0))
    for histories in (list(new.values()), new, known, table, table.to_pandas()):
        found, right = exported.recommend(histories, k=6), model.recommend(histories=histories, k=6)
        assert type(found) is type(right)
        assert_same_answers(pl.DataFrame(found), pl.DataFrame(right))


def test_choice_and_attributes_are_those_of_the_model(model: Recommender, exported: OnnxRecommender) -> None:
    new, some = histories_of(model, 4), [f"i{n}" for n in range(0, 80, 3)]
    profiles = {"new-0": {"region": "r1"}, "new-2": {"region": None}, "new-3": {"region": "r0"}}
    cases: list[dict[str, Any]] = [
        {"candidates": some},
        {"exclude": some},
        {"hide_seen": False},
        {"user_attributes": profiles},
        {"k": 200},
    ]
    for more in cases:
        assert_same_answers(exported.recommend(new, **more), model.recommend(histories=new, **more))


def test_what_cannot_be_answered_is_said(exported: OnnxRecommender) -> None:
    with pytest.raises(UnknownIdError, match="i999"):
        exported.recommend([["i999"]])
    with pytest.raises(UnknownIdError, match="mars"):
        exported.recommend({"a": ["i1"]}, user_attributes={"a": {"region": "mars"}})
    with pytest.raises(ConfigurationError, match="height"):
        exported.recommend({"a": ["i1"]}, user_attributes={"a": {"height": 3}})
    with pytest.raises(DataError, match="empty"):
        exported.recommend([[]])
    with pytest.raises(DataError, match="no list"):
        exported.recommend(["i1"])
    with pytest.raises(ConfigurationError, match="k is 0"):
        exported.recommend([["i1"]], k=0)


@pytest.mark.slow
def test_sasrec_is_exported_as_well(tmp_path: Path) -> None:
    settings = ["model.name=sasrec", "model.width=8", "model.layers=1", "training.epochs=1", "evaluation.resamples=5"]
    model = Recommender(override(Config(), settings)).fit(shop(), progress=False)
    # Every fifth item has the same vector, and with it the same score.
    with torch.no_grad():
        table = parameters_of(model.fitted.network)["item"]
        table[::5] = table[0].clone()
    export_model(model, tmp_path / "onnx")
    exported = OnnxRecommender.load(tmp_path / "onnx")

    for count in (1, 9):
        new = list(histories_of(model, count).values())
        assert_same_answers(exported.recommend(new, k=4), model.recommend(histories=new, k=4))
    # Equal scores come in the order of the catalogue, also where the end of a list parts them.
    catalogue = model.fitted.knowledge.item_ids.to_list()
    for k in (9, 13, len(catalogue)):
        found = exported.recommend(new, k=k, hide_seen=False)
        assert found["item_id"].to_list() == model.recommend(histories=new, k=k, hide_seen=False)["item_id"].to_list()
        for answered in found.partition_by("user_id"):
            alike = [item for item in answered["item_id"] if item in catalogue[::5]]
            assert alike == catalogue[::5][: len(alike)] and answered["score"].n_unique() <= k - len(alike) + 1
    assert len(alike) == len(catalogue[::5])


def test_folders_are_replaced_only_where_they_hold_an_export(model: Recommender, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="something else"):
        export_model(model, tmp_path)
    with pytest.raises(ConfigurationError, match="popularity"):
        export_model(
            Recommender(override(Config(), ["model.name=popularity", "evaluation.resamples=5"])).fit(
                shop(), progress=False
            ),
            tmp_path / "new",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert [path.name for path in folder.parent.iterdir()] == ["onnx"]


@pytest.mark.parametrize("damage", ["nothing there", "no json", "other version", "graph", "arrays"])
def test_damage_is_said(folder: Path, tmp_path: Path, damage: str) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if damage == "nothing there":
        (tmp_path / GRAPH).unlink()
    elif damage == "no json":
        (tmp_path / DESCRIPTION).write_text("{")
    elif damage == "other version":
        described = json.loads((tmp_path / DESCRIPTION).read_text()) | {"version": 99}
        (tmp_path / DESCRIPTION).write_text(json.dumps(described))
    else:
        path = tmp_path / (GRAPH if damage == "graph" else "arrays.npz")
        path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(CheckpointError, match=str(tmp_path)):
        OnnxRecommender.load(tmp_path)


def test_damage_anywhere_is_refused_or_changes_nothing(model: Recommender, folder: Path, tmp_path: Path) -> None:
    item = model.fitted.knowledge.item_ids.to_list()[0]

    def read(place: Path) -> object:
        found = OnnxRecommender.load(place).recommend([[item]], k=3)
        return found["score"].to_list(), found["item_id"].to_list()

    check(folder, tmp_path / "damaged", read, count=COUNT // 4)


@pytest.mark.slow
def test_items_that_were_added_are_exported_with_whole_rows_too(tmp_path: Path) -> None:
    model = grown(model_of(sparse=False, layers=1))
    export_model(model, tmp_path / "onnx")
    histories = {"old": ["i3", "i5"], "mixed": ["i3", "new-0"], "new": ["new-1"]}

    found = OnnxRecommender.load(tmp_path / "onnx").recommend(histories, k=9)
    assert_same_answers(found, model.recommend(histories=histories, k=9))


def test_a_model_that_reads_the_last_interaction_alone_is_exported(tmp_path: Path) -> None:
    model = model_of(layers=1, max_length=1, one_of_a_kind=True)
    export_model(model, tmp_path / "onnx")
    exported = OnnxRecommender.load(tmp_path / "onnx")
    for count in (1, 4):
        asked = histories_of(model, count)
        assert_same_answers(exported.recommend(asked, k=5), model.recommend(histories=asked, k=5))
