from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tests.relations.test_build import arrays
from tests.support.recommenders import small_config

from attrformer.columns import COMPONENT, CONTRIBUTION, ITEM, RANK, SCORE, TIMESTAMP, USER
from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.errors import ConfigurationError, DataError, LeakWarning, UnknownIdError
from attrformer.recommender import AttrFormer, Config, Recommender
from attrformer.recommender.updates import with_interactions
from attrformer.relations.build import build_relations
from attrformer.training.checkpoint import parameters_of

LATE = 2_000_000_000
PEOPLE, ITEMS = 150, 120


@pytest.fixture(scope="module")
def tables() -> Any:
    return make_sample(0, users=PEOPLE, items=ITEMS)


@pytest.fixture(scope="module")
def earlier(tables: Any) -> pl.DataFrame:
    """All but the last fifth of the interactions by time, of all but the last two users."""
    log = tables.interactions
    kept = log.filter(pl.col(TIMESTAMP) < log[TIMESTAMP].quantile(0.8))
    frame: pl.DataFrame = kept.filter(~pl.col(USER).is_in(["user-0149", "user-0150"]))
    return frame


@pytest.fixture(scope="module")
def young(tables: Any, earlier: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the earlier interactions, saved."""
    dataset = Dataset.from_frames(earlier, tables.items, tables.users, name="shop", catalogue="all")
    folder = tmp_path_factory.mktemp("young")
    AttrFormer(small_config("training.epochs=1")).fit(dataset, progress=False).save(folder)
    return folder


def load(folder: Path) -> AttrFormer:
    return AttrFormer.load(folder, device="cpu")


def one(user: str, item: str, time: int = LATE) -> pl.DataFrame:
    return pl.DataFrame({USER: [user], ITEM: [item], TIMESTAMP: [time]})


def test_columns_of_an_update_are_mapped(young: Path) -> None:
    row, person = one("new", "item-0003"), pl.DataFrame({USER: ["new"], "age_band": ["25-34"], "region": ["North"]})
    plain, mapped = load(young), load(young)
    plain.update(row, person)
    names = {USER: "customer", ITEM: "sku", TIMESTAMP: "ts"}
    columns = {our: your for our, your in names.items()}
    mapped.update(row.rename(names), person.rename({USER: "customer"}), columns=columns)
    assert mapped.recommend(["new"], k=5).equals(plain.recommend(["new"], k=5))
    with pytest.raises(DataError, match=r"is missing .*pass columns=\{'user_id': 'YOURS'\}\."):
        load(young).update(row.rename(names))
    # The names of the fit, of which some are those of other tables.
    load(young).update(row.rename(names), columns={**columns, "title": "name", "items.item_id": "number"})
    with pytest.raises(DataError, match=r"column 'item_id': the column is missing \(present: .*sku"):
        load(young).update(row.rename(names), columns={**columns, ITEM: "skew"})
    with pytest.raises(DataError, match=r"Name the column 'user_id'\."):
        load(young).recommend(histories=row.rename(names))


def test_an_update_counts_within_the_memory_of_the_options(
    young: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(young)
    little = override(model.config, ["relations.memory=1e-9"])
    row = one("user-0001", model.fitted.knowledge.item_ids.to_list()[0])
    wanted = with_interactions(model.fitted, model.config, row, None).relations
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = with_interactions(model.fitted, little, row, None).relations
    for name, value in arrays({"rows": wanted.rows}).items():
        np.testing.assert_array_equal(value, arrays({"rows": found.rows})[name], err_msg=name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="TMPDIR"):
        with_interactions(model.fitted, little, row, None)


def test_an_update_counts_what_a_recount_of_everything_counts(tables: Any, earlier: pl.DataFrame, young: Path) -> None:
    model = load(young)
    later = tables.interactions.join(earlier, on=tables.interactions.columns, how="anti")
    assert 0.15 < len(later) / len(tables.interactions) < 0.35
    new = set(later[USER]) - set(earlier[USER])
    assert {"user-0149", "user-0150"} <= new
    # The table comes in two pieces, each in any order.
    shuffled = later.sample(fraction=1.0, shuffle=True, seed=3)
    half = len(shuffled) // 2
    for piece in (shuffled[:half], shuffled[half:]):
        model.update(piece, tables.users.filter(pl.col(USER).is_in(piece[USER].to_list())))
    whole = Dataset.from_frames(tables.interactions, tables.items, tables.users, name="shop", catalogue="all")
    knowledge = model.fitted.knowledge
    order = knowledge.user_ids.encode(whole.user_ids.values)
    assert sorted(order.tolist()) == list(range(PEOPLE))
    # The same people, in the order in which the model met them.
    back = np.argsort(order)
    again = replace(
        whole,
        sequences=whole.sequences.rows(back),
        user_attributes={name: attribute.take(back) for name, attribute in whole.user_attributes.items()},
    )
    for name in ("offsets", "items", "times"):
        np.testing.assert_array_equal(getattr(knowledge.histories, name), getattr(again.sequences, name), err_msg=name)
    wanted = build_relations(again, again.sequences, model.config.relations, seed=7).for_inference()
    found = model.fitted.relations
    counted = ("rows", "users", "similar_users", "popularity")
    compared = 0
    for name in counted:
        left, right = arrays({name: getattr(found, name)}), arrays({name: getattr(wanted, name)})
        assert left.keys() == right.keys()
        for path, value in left.items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                np.testing.assert_allclose(value, right[path], rtol=1e-5, atol=1e-7, err_msg=path)
                compared += value.size
            else:
                np.testing.assert_array_equal(value, right[path], err_msg=path)
    assert compared > ITEMS * ITEMS
    assert knowledge.updated == len(later)


def test_no_weight_moves(young: Path) -> None:
    model = load(young)
    before = {name: value.clone() for name, value in parameters_of(model.fitted.network).items()}
    after = parameters_of(model.update(one("user-0001", "item-0050")).fitted.network)
    assert before.keys() == after.keys()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []


def test_what_was_never_trained_stays_silent(tables: Any, young: Path) -> None:
    """Older models hold own embeddings that training pushed away, of items that nobody had acted on."""
    model = load(young)
    model.add_items(tables.items.head(1).with_columns(pl.lit("pushed").alias(ITEM)))
    with torch.no_grad():
        parameters_of(model.fitted.network)["table.item"][-1] = 5.0
    before = model.fitted.network.table()[-1]
    model.update(one("user-0001", "pushed"))
    assert model.fitted.relations.popularity[-1] == 1
    assert not parameters_of(model.fitted.network)["table.item"][-1].any()
    torch.testing.assert_close(model.fitted.network.table()[-1], before)


def test_new_interactions_are_of_the_history_at_once(young: Path) -> None:
    model = load(young)
    best = model.recommend(["user-0001"], k=1)[ITEM][0]
    assert model.update(one("user-0001", best)) is model
    assert best not in model.recommend(["user-0001"], k=ITEMS)[ITEM]
    history = model.fitted.knowledge.histories.row(0)
    assert model.fitted.knowledge.item_ids.decode(history[-1:]).to_list() == [best]


def test_people_who_were_not_there(young: Path) -> None:
    model = load(young)
    log = pl.concat([one("newcomer", "item-0003"), one("newcomer", "item-0009", LATE + 5), one("silent", "item-0009")])
    profile = pl.DataFrame({USER: ["newcomer"], "age_band": ["18-24"], "region": ["no such region"]})
    model.update(log, profile)
    relations, ids = model.fitted.relations, model.fitted.knowledge.user_ids
    newcomer, silent = ids.encode(["newcomer", "silent"])
    labels = {
        name: [user.labels[user.codes[row]] for row in (newcomer, silent)] for name, user in relations.users.items()
    }
    assert labels == {"age_band": ["18-24", ""], "region": ["", ""]}
    found = model.recommend(["newcomer", "silent"], k=4)
    assert found[USER].to_list() == ["newcomer"] * 4 + ["silent"] * 4
    assert not set(found.filter(pl.col(USER) == "newcomer")[ITEM]) & {"item-0003", "item-0009"}
    # A known person's values are replaced.
    model.update(one("silent", "item-0004"), pl.DataFrame({USER: ["silent"], "age_band": ["65+"], "region": [None]}))
    assert (
        model.fitted.relations.users["age_band"].labels[model.fitted.relations.users["age_band"].codes[silent]] == "65+"
    )


def test_what_goes_together_is_recommended_together(young: Path) -> None:
    """Thirty newcomers go from one item to another: relations and similar users say so at once."""
    model = load(young)
    pair = ["item-0003", "item-0090"]

    def contributions() -> dict[str, float]:
        found = model.explain(histories=[pair[:1]], items=pair[1:])
        return dict(found.select(COMPONENT, CONTRIBUTION).iter_rows())

    before = contributions()
    log = [one(f"z{number:02}", item, LATE + step) for number in range(30) for step, item in enumerate(pair)]
    model.update(pl.concat(log))
    after = contributions()
    assert after["cooccurrence_near"] > before["cooccurrence_near"] + 0.5
    assert after["similar_users"] > before["similar_users"] + 0.5
    assert after["item_brand"] == pytest.approx(before["item_brand"], abs=1e-3)


@pytest.mark.slow
def test_an_added_item_that_people_take_to(tables: Any, young: Path, tmp_path: Path) -> None:
    model = load(young)
    model.add_items(tables.items.head(1).with_columns(pl.lit("brand-new").alias(ITEM)))

    def rank() -> int:
        found = model.recommend(histories=[["item-0003"]], k=ITEMS + 1)
        return int(found.filter(pl.col(ITEM) == "brand-new")[RANK][0])

    before = rank()
    log = [
        one(f"z{number:02}", item, LATE + step)
        for number in range(20)
        for step, item in enumerate(["item-0003", "brand-new"])
    ]
    model.update(pl.concat(log))
    assert rank() < before and rank() <= 3
    own = parameters_of(model.fitted.network)["table.item"]
    assert model.fitted.relations.popularity[-1] == 20 and not own[-1].any()
    model.save(tmp_path)
    again = AttrFormer.load(tmp_path, device="cpu")
    assert again.recommend(k=8).equals(model.recommend(k=8))
    assert again.explain(["z00"], k=2).equals(model.explain(["z00"], k=2))
    assert again.fitted.knowledge.updated == 40
    # What was saved can be counted on.
    assert (
        again.update(one("z00", "item-0001"))
        .recommend(["z00"])
        .equals(model.update(one("z00", "item-0001")).recommend(["z00"]))
    )


def test_the_protocol_says_that_more_was_counted(tables: Any, earlier: pl.DataFrame, young: Path) -> None:
    model = load(young)
    dataset = Dataset.from_frames(earlier, tables.items, tables.users, name="shop", catalogue="all")
    assert "counted" not in model.evaluate(dataset).protocol.line()
    model.update(pl.concat([one("user-0001", "item-0050"), one("user-0002", "item-0050")]))
    with pytest.warns(LeakWarning):
        line = model.evaluate(dataset).protocol.line()
    assert "every known interaction counted, 2 since training" in line
    assert "best epoch by validation" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("interactions", "users", "error", "words"),
    [
        (one("user-0001", "no item"), None, UnknownIdError, r"'no item' not in the catalogue .*add_items"),
        (one("user-0001", "item-0001").drop(TIMESTAMP), None, DataError, "have times and the table has none"),
        (one("user-0001", "item-0001").drop(USER), None, DataError, "column 'user_id': the column is missing"),
        (one("user-0001", "item-0001").head(0), None, DataError, "the table has no rows"),
        (
            one("user-0001", "item-0001"),
            pl.DataFrame({USER: ["nobody"], "age_band": ["65+"], "region": ["north"]}),
            DataError,
            "'nobody' has no interaction, neither here nor before",
        ),
        (
            one("user-0001", "item-0001"),
            pl.DataFrame({USER: ["user-0001"], "age_band": ["65+"]}),
            DataError,
            r"users, column 'region': the column is missing",
        ),
    ],
)
def test_what_cannot_be_counted(
    young: Path, interactions: pl.DataFrame, users: pl.DataFrame | None, error: type[Exception], words: str
) -> None:
    model = load(young)
    before = model.recommend(k=2)
    with pytest.raises(error, match=words):
        model.update(interactions, users)
    assert model.recommend(k=2).equals(before)


@pytest.mark.parametrize("name", ["sasrec", "popularity", "vsknn"])
def test_other_models_are_updated_as_well(tables: Any, earlier: pl.DataFrame, name: str) -> None:
    options = [f"model.name={name}", "training.epochs=1", "training.threads=1"]
    options += ["model.width=8"] if name == "sasrec" else []
    dataset = Dataset.from_frames(earlier, tables.items, tables.users, name="shop", catalogue="all")
    model = Recommender(override(Config(), options)).fit(dataset, progress=False)
    best = model.recommend(["user-0001"], k=1)[ITEM][0]
    model.update(pl.concat([one("user-0001", best), one("newcomer", "item-0003")]))
    found = model.recommend(["user-0001", "newcomer"], k=5)
    assert best not in found.filter(pl.col(USER) == "user-0001")[ITEM]
    assert found[SCORE].is_finite().all() and len(found) == 10


def test_numbers_as_ids_and_ratings() -> None:
    rows = [(user, item, (user + item) % 5 + 1.0) for user in range(1, 20) for item in range(user % 4, 8, 2)]
    log = pl.DataFrame(rows, schema=[USER, ITEM, "rating"], orient="row")
    model = AttrFormer(small_config("training.epochs=1")).fit(Dataset.from_frames(log), progress=False)
    model.update(pl.DataFrame({USER: ["3", "99"], ITEM: ["1", "2"], "rating": [5.0, 1.0]}))
    assert model.fitted.knowledge.user_ids.to_list()[-1] == 99
    assert model.recommend([99, 3], k=2)[USER].to_list() == [99, 99, 3, 3]
    with pytest.raises(DataError, match="'x' is not of the type that the ids of this model have"):
        model.update(pl.DataFrame({USER: ["x"], ITEM: ["1"]}))
