"""What `evaluate` counts is what `recommend` answers: the same items, the same order, the same misses."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.evaluation import Evaluation
from attrformer.evaluation.metrics import UNREACHABLE_RANK
from attrformer.recommender import Config, Recommender

TINY = ("training.epochs=1", "training.threads=1", "evaluation.resamples=5", "training.precision=float32")


def interactions(histories: list[list[int]]) -> pl.DataFrame:
    rows = [
        (user, item, 1000 * user + place) for user, items in enumerate(histories) for place, item in enumerate(items)
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def shop_with_repeats(users: int = 50, items: int = 30, distinct: int = 8, repeating: float = 0.4) -> Dataset:
    """Everybody has some distinct items and then, some of them, one of these again."""
    random = np.random.default_rng(3)
    histories = [random.permutation(items)[: distinct + 1].tolist() for _ in range(users)]
    for history in histories[: int(repeating * users)]:
        history[-1] = history[int(random.integers(distinct))]
    table = pl.DataFrame({"item_id": np.arange(items), "brand": [f"b{item % 4}" for item in range(items)]})
    return Dataset.from_frames(interactions(histories), table, catalogue="all", name="repeats")


def fitted(dataset: Dataset, *settings: str) -> Recommender:
    config = override(Config(), [*TINY, *settings])
    return Recommender(config).fit(dataset, progress=False)


def contexts_of(dataset: Dataset, targets: Targets) -> pl.DataFrame:
    contexts: Sequences = targets.contexts
    return pl.DataFrame(
        {
            "user_id": dataset.user_ids.decode(targets.users[contexts.row_of_position()]),
            "item_id": dataset.item_ids.decode(contexts.items.astype(np.int64)),
            "timestamp": contexts.times,
        }
    )


def answers(model: Recommender, dataset: Dataset, targets: Targets, seen: str) -> list[pl.DataFrame]:
    """What is recommended for each target, as many items as the catalogue has."""
    answered = model.recommend(
        histories=contexts_of(dataset, targets), k=dataset.item_count + 7, hide_seen=seen == "hidden"
    ).with_columns(code=pl.col("item_id").replace_strict(dataset.item_ids.values, np.arange(dataset.item_count)))
    named = dataset.user_ids.decode(targets.users)
    return [answered.filter(pl.col("user_id") == user) for user in named]


def rank_among(answered: pl.DataFrame, item: int) -> int:
    score = answered.filter(pl.col("code") == item)["score"]
    return UNREACHABLE_RANK if not len(score) else int((answered["score"] >= score[0]).sum())


def check(model: Recommender, dataset: Dataset, found: Evaluation, part: str = "test") -> None:
    targets = getattr(model.config.data.split_of(dataset), part)
    for seen in ("hidden", "ranked"):
        answered = answers(model, dataset, targets, seen)
        ranks = [rank_among(one, int(item)) for one, item in zip(answered, targets.items, strict=True)]
        assert found.ranks[seen].tolist() == ranks
        for row, one in zip(found.lists[seen], answered, strict=True):
            codes = one["code"].to_list()[: len(row)]
            assert row.tolist() == codes + [-1] * (len(row) - len(codes))


MODELS = {
    "popularity": (),
    "transitions": (),
    "vsknn": (),
    "sasrec": ("model.width=8", "model.layers=1"),
    "attrformer": ("model.width=8", "model.layers=1"),
}


def test_what_is_seen_does_not_end_where_the_network_stops_reading() -> None:
    dataset = shop_with_repeats()
    model = fitted(dataset, "model.name=sasrec", "model.width=8", "model.max_length=2")
    found = model.evaluate(dataset)
    check(model, dataset, found)
    assert (found.ranks["hidden"] == UNREACHABLE_RANK).sum() == 20


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_ranks_and_lists_are_those_of_recommend_where_targets_repeat(name: str) -> None:
    dataset = shop_with_repeats()
    model = fitted(dataset, f"model.name={name}", *MODELS[name])
    found = model.evaluate(dataset)
    check(model, dataset, found)
    repeated = found.repeats
    assert repeated is not None and repeated.sum() == 20
    assert (found.ranks["hidden"][repeated] == UNREACHABLE_RANK).all()
    assert (found.ranks["ranked"] <= dataset.item_count).all()
    validated = model.evaluate(dataset, part="validation")
    check(model, dataset, validated, "validation")


def test_a_repeated_target_flatters_nobody() -> None:
    random = np.random.default_rng(0)
    histories = [random.permutation(50)[:8].tolist() for _ in range(200)]
    dataset = Dataset.from_frames(interactions([[*one, one[int(random.integers(8))]] for one in histories]))
    found = fitted(dataset, "model.name=popularity").evaluate(dataset)
    assert found.protocol.repeated_share == 1.0
    assert found.value("Recall@20", "hidden") == 0.0 < found.value("Recall@20", "ranked")
    assert found.value("Recall@50", "ranked") == 1.0
    assert found.value("Recall@50", "hidden") == 0.0
    assert "100.0 % of targets repeat an item of their history (a miss with seen=hidden)" in found.protocol.line()


def test_selection_does_not_profit_from_repeated_targets(tmp_path) -> None:
    histories = [[*np.roll(np.arange(12), user)[:5].tolist()] for user in range(24)]
    # Validation targets all repeat an item, test targets do not.
    dataset = Dataset.from_frames(interactions([[*one[:4], one[1], one[4]] for one in histories]))
    model = Recommender(override(Config(), [*TINY, "model.name=sasrec", "model.width=8"]))
    model.fit(dataset, run=tmp_path / "run", progress=False)
    (line,) = pl.read_ndjson(tmp_path / "run" / "metrics.jsonl")["validation"].to_list()
    assert line["seen=hidden"]["NDCG@20"] == 0.0 < line["seen=ranked"]["NDCG@20"]


def test_lists_of_equal_scores_are_those_of_recommend() -> None:
    random = np.random.default_rng(1)
    histories = [random.permutation(200)[:5].tolist() for _ in range(50)]
    table = pl.DataFrame({"item_id": np.arange(200)})
    dataset = Dataset.from_frames(interactions(histories), table, catalogue="all")
    model = fitted(dataset, "model.name=popularity")
    popularity = model.fitted.relations.popularity
    assert len(np.unique(popularity)) < 10
    check(model, dataset, model.evaluate(dataset))


@pytest.mark.parametrize("name", ["popularity", "sasrec"])
def test_a_catalogue_shorter_than_every_cutoff(name: str) -> None:
    # Some have seen every item, so that nothing is left to recommend.
    histories = [[0, 1, 2, 0], [1, 2, 0, 2], [2, 0, 1], [0, 2, 1], [1, 0, 2]]
    dataset = Dataset.from_frames(interactions(histories))
    found = (model := fitted(dataset, f"model.name={name}", "evaluation.cutoffs=[2,5,1000000000]")).evaluate(dataset)
    check(model, dataset, found)
    assert found.lists["hidden"].shape == (5, 3)
    assert found.lists["hidden"][:2].tolist() == [[-1, -1, -1]] * 2
    assert found.value("Recall@1000000000", "hidden") == pytest.approx(3 / 5)
    assert found.metric("Coverage@5", "ranked").value == 1.0
    assert "NDCG@1000000000" in str(found)


def test_a_catalogue_of_one_item() -> None:
    dataset = Dataset.from_frames(interactions([[0, 0, 0, 0], [0, 0, 0]]))
    model = fitted(dataset, "model.name=popularity")
    found = model.evaluate(dataset)
    check(model, dataset, found)
    assert found.values()["seen=hidden"]["Recall@20"] == 0.0
    assert found.values()["seen=ranked"]["Recall@20"] == 1.0
    assert found.to_json()["groups"]["repeats"]["repeated"]["targets"] == 2


def test_a_model_with_added_items_is_judged_in_the_order_of_its_own_catalogue() -> None:
    random = np.random.default_rng(5)
    table = interactions([(10 + random.permutation(20)[:6]).tolist() for _ in range(30)])
    brands = pl.DataFrame({"item_id": np.arange(30), "brand": [f"b{item % 4}" for item in range(30)]})
    model = fitted(Dataset.from_frames(table, brands[10:], catalogue="all"), *MODELS["attrformer"])
    model.add_items(brands[:10].reverse())
    dataset = Dataset.from_frames(table, brands, catalogue="all")
    # Items 1 and 9 are new and alike; 1 stands first in the data and behind 9 in the model's catalogue.
    scores = model.recommend(histories=[[11, 12]], candidates=[1, 9])
    assert scores["score"].n_unique() == 1 and scores["item_id"].to_list() == [9, 1]
    found = model.evaluate(dataset)
    check(model, dataset, found)
    split = model.config.data.split_of(dataset)
    assert found.items.tolist() == split.test.items.tolist()
    assert found.popularity is not None
    assert found.popularity.tolist() == np.bincount(split.train.items, minlength=30).tolist()
