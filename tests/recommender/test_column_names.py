"""Columns of any name become relations of their own, from training to the explanation, the file and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.support.recommenders import small_config
from typer.testing import CliRunner

from attrformer import AttrFormer, Dataset
from attrformer.cli.app import app
from attrformer.errors import ConfigurationError
from attrformer.onnx.writing import _example
from attrformer.recommender.legacy import with_present_names
from attrformer.relations.naming import module_key
from attrformer.training.checkpoint import parameters_of

USERS, ITEMS = 30, 24
ITEM_COLUMNS = (
    "a.b",
    "a_b",
    "A_b",
    "cooccurrence_near",
    "repeat",
    "age",
    "user_age",
    "x/y",
    "q\"'",
    "[bold]",
    "50 %",
    "ß.💡",
)
USER_COLUMNS = ("age", "a.b", "a_b", "item_age")
BEHAVIOURS = ("repeat", "x.y", "x_y")


def made() -> dict[str, pl.DataFrame]:
    rng, count = np.random.default_rng(0), 300
    return {
        "interactions": pl.DataFrame(
            {
                "user_id": rng.integers(0, USERS, count),
                "item_id": rng.integers(0, ITEMS, count),
                "timestamp": np.arange(count) * 1000,
                **{name: rng.integers(1, 6, count) for name in BEHAVIOURS},
            }
        ),
        "items": pl.DataFrame(
            {"item_id": np.arange(ITEMS)}
            | {name: [f"v{v}" for v in rng.integers(0, 3 + n % 3, ITEMS)] for n, name in enumerate(ITEM_COLUMNS)}
        ),
        "users": pl.DataFrame(
            {"user_id": np.arange(USERS)}
            | {name: [f"v{v}" for v in rng.integers(0, 3, USERS)] for name in USER_COLUMNS}
        ),
        "item_relations": pl.DataFrame(
            {
                "source_item_id": [1, 2, 3],
                "target_item_id": [2, 3, 4],
                "relation": ["also.b", "also_b", "cooccurrence_near"],
            }
        ),
    }


@pytest.fixture(scope="module")
def odd() -> tuple[AttrFormer, Dataset]:
    tables = made()
    dataset = Dataset.from_frames(tables.pop("interactions"), **tables)
    config = small_config("training.epochs=1", "model.width=8", "relations.edges=null")
    return AttrFormer(config).fit(dataset, progress=False), dataset


def test_every_column_is_a_relation_with_a_name_of_its_own(odd: tuple[AttrFormer, Dataset]) -> None:
    model, _ = odd
    wanted = {f"item_{name}" for name in ITEM_COLUMNS} | {f"user_{name}" for name in USER_COLUMNS}
    wanted |= {"edge_also.b", "edge_also_b", "edge_cooccurrence_near", "cooccurrence_near", "repeat"}
    assert wanted <= set(model.relation_strengths())
    assert {f"behaviour_{name}" for name in BEHAVIOURS} <= set(model.fitted.network.head_names)
    parts = set(model.explain([1, 2], k=3)["component"])
    assert parts == {"content", *model.relation_strengths()}
    assert len(set(_example(model.fitted))) == len(_example(model.fitted)) >= 3 + len(USER_COLUMNS) + len(BEHAVIOURS)


@pytest.mark.slow
def test_odd_names_survive_saving_and_the_dataset_folder(odd: tuple[AttrFormer, Dataset], tmp_path: Path) -> None:
    model, dataset = odd
    model.save(tmp_path / "model")
    loaded = AttrFormer.load(tmp_path / "model", device="cpu")
    assert loaded.explain([1], k=2).equals(model.explain([1], k=2))
    again = Dataset.load(dataset.save(tmp_path / "data"))
    assert list(again.item_attributes) == list(ITEM_COLUMNS) and list(again.user_attributes) == list(USER_COLUMNS)
    assert loaded.evaluate(again).values() == model.evaluate(dataset).values()


def test_attributes_of_pairs_have_names_that_say_which(odd: tuple[AttrFormer, Dataset]) -> None:
    model, _ = odd
    names = model.pair_attributes()
    assert len(set(names)) == len(names) == len(ITEM_COLUMNS) + len(USER_COLUMNS)
    assert {"item_age", "item_user_age", "user_age", "user_item_age", "x/y"} <= set(names)
    for name in names:
        model.strongest_pairs(name, 3)
    with pytest.raises(ConfigurationError, match=r"attribute of items and of users\. Ask for one: 'item_age' or"):
        model.strongest_pairs("age")


def test_models_saved_under_the_earlier_names_load(odd: tuple[AttrFormer, Dataset]) -> None:
    model, _ = odd
    relations, own = model.fitted.relations, parameters_of(model.fitted.network)
    # What such a model could hold: no two names that fall together, and these without the escapes of today.
    names = {"item_ß.💡": "item_ß_💡", "item_50 %": "item_50 %"}
    keys = {module_key(name): earlier for name, earlier in names.items()}
    before = {".".join(keys.get(part, part) for part in name.split(".")): value for name, value in own.items()}
    assert set(before) != set(own)
    kept = [relations.features[name].name for name in ("ß.💡", "50 %", "cooccurrence_near")]
    alone = relations.having(lambda one: one.name in kept or one.kind in ("similar_users", "repeat", "time_bucket"))
    _, parameters, strengths = with_present_names(alone, (), before, {"item_ß_💡": 1.0, "cooccurrence_near": 2.0})
    assert set(parameters) == set(own)
    assert strengths == {"item_ß.💡": 1.0, "cooccurrence_near": 2.0}
    assert with_present_names(alone, (), own, {})[1] is own


@pytest.mark.slow
def test_columns_that_differ_in_a_dot_go_through_train_and_explain(tmp_path: Path) -> None:
    tables = made()
    tables["items"] = tables["items"].select("item_id", "a.b", "a_b")
    for name in ("interactions", "items"):
        tables[name].write_csv(tmp_path / f"{name}.csv")
    tiny = ("training.epochs=1", "training.threads=1", "model.width=8", "model.layers=1", "evaluation.resamples=10")
    chosen = [word for option in (*tiny, "training.precision=float32") for word in ("--set", option)]
    train = CliRunner().invoke(app, ["train", "-d", str(tmp_path), "-o", str(tmp_path / "run"), "-q", *chosen])
    assert train.exit_code == 0, train.output
    explained = CliRunner().invoke(app, ["explain", str(tmp_path / "run"), "--user", "1", "-k", "2", "--json"])
    if explained.exit_code == 2:
        explained = CliRunner().invoke(app, ["explain", str(tmp_path / "run"), "--user", "1", "-k", "2"])
    assert explained.exit_code == 0, explained.output
    strengths = AttrFormer.load(tmp_path / "run" / "model").relation_strengths()
    assert {"item_a.b", "item_a_b"} <= set(strengths)
