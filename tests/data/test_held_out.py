from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.config import override
from attrformer.data import Dataset, Sequences, Split, Targets, held_out_items, leave_one_out
from attrformer.data.sample import make_sample
from attrformer.errors import ConfigurationError, DataError
from attrformer.evaluation import evaluate_among
from attrformer.recommender import AttrFormer, Config, DataConfig
from attrformer.recommender.fitting import fingerprint
from attrformer.relations.build import build_relations

# Of ten items, items 4 and 6 are held out for validation and 2 and 7 for test (share 0.4, seed 0).
VALIDATION, TEST = {4, 6}, {2, 7}
LOG = {
    "plain": [0, 1, 3, 5],
    "validated": [0, 2, 1, 4, 8],
    "tested": [9, 6, 3, 2],
    "both": [3, 5, 6, 7],
    "alone": [2, 4, 4, 1],
    "swapped": [8, 9, 7, 4],
    "short": [4, 0],
    "thinned": [0, 7, 1, 3],
}


def dataset_of(log: dict[str, list[int]], items: int = 10) -> Dataset:
    rows = [(user, item, time) for user, done in log.items() for time, item in enumerate(done)]
    interactions = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    catalogue = pl.DataFrame({"item_id": range(items), "colour": [f"{item % 3}" for item in range(items)]})
    return Dataset.from_frames(interactions, catalogue, name="tiny", catalogue="all")


def examples(dataset: Dataset, targets: Targets) -> dict[str, tuple[list[int], int]]:
    users = dataset.user_ids.decode(targets.users)
    return {
        user: (targets.contexts.row(row).tolist(), int(targets.items[row])) for row, user in enumerate(users.to_list())
    }


def test_a_log_small_enough_to_read() -> None:
    dataset = dataset_of(LOG)
    assert dataset.item_ids.decode(np.arange(10)).to_list() == list(range(10))
    split = held_out_items(dataset, share=0.4)
    assert split.name == "held-out-items"
    assert split.held_out is not None and set(split.held_out.tolist()) == VALIDATION | TEST
    names = dataset.user_ids.decode(np.arange(len(LOG))).to_list()
    assert {name: split.train.row(row).tolist() for row, name in enumerate(names)} == {
        "plain": [0, 1],
        "validated": [0, 1],
        "tested": [9],
        "both": [3, 5],
        "alone": [],
        "swapped": [8, 9],
        "short": [0],
        "thinned": [0],
    }
    # A validation item in the last place and a test item in the place before it are no targets.
    assert examples(dataset, split.validation) == {"validated": ([0, 1], 4), "both": ([3, 5], 6)}
    assert examples(dataset, split.test) == {"tested": ([9, 3], 2), "both": ([3, 5], 7)}
    times = split.validation.contexts.times
    assert times is not None and sorted(times.tolist()) == [0, 0, 1, 2]
    assert split.dropped == (
        "2 of 10 items are held out for validation and 2 for test; 6 of 17 training interactions were with them and "
        "are left out",
        "1 of 8 users have fewer than 3 interactions and are only trained on: 'short'",
        "4 of 8 users have fewer than 2 training interactions left: 'alone', 'short', 'tested', 'thinned'",
        "1 of 8 users are no validation targets since all they did before is held out: 'alone'",
    )


def test_relations_know_nothing_of_held_out_items() -> None:
    sample = make_sample(users=150, items=80, brands=6)
    dataset = Dataset.from_frames(sample.interactions, sample.items, sample.users, catalogue="all")
    config = DataConfig(split="held-out-items", held_out=0.25)
    split = config.split_of(dataset)
    held = split.held_out
    assert held is not None and len(held) == 20
    # Its histories are short, where similar users are left out unless asked for.
    options = override(Config(), ["relations.similar_users=true"]).relations
    relations = build_relations(dataset, split.train, options, seed=0)
    assert (relations.popularity[held] == 0).all() and relations.popularity.sum() == len(split.train.items)
    for rows in relations.rows.values():
        assert rows.dense is not None
        assert not rows.dense[:, held].any() and not rows.dense.reshape(-1, 80, 80)[:, held].any()
    assert relations.similar_users is not None
    assert not np.diff(relations.similar_users.starts)[held].any()
    # The whole catalogue keeps its attributes.
    assert (relations.features["brand"].weights[held] > 0).all()


@pytest.mark.slow
def test_a_model_is_fitted_and_ranks_held_out_items_better_than_by_chance() -> None:
    sample = make_sample(users=400, items=120, brands=10)
    dataset = Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop", catalogue="all")
    settings = ("data.split=held-out-items", "data.held_out=0.2", "model.width=16", "training.epochs=4")
    config = override(Config(), (*settings, "training.threads=1", "training.batch_targets=256"))
    model = AttrFormer(config).fit(dataset, progress=False)
    evaluation = model.evaluate(dataset)
    assert "all 120 items ranked | held-out-items test" in evaluation.protocol.line()
    split = config.data.split_of(dataset)
    assert split.held_out is not None
    among = evaluate_among(model.fitted, split.test, split.held_out, split=split.name, item_count=120, dataset="shop")
    assert "all 24 items ranked | held-out-items (no other item ranked) test" in among.protocol.line()
    assert among.value("Recall@5") > 1.3 * 5 / 24


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan"), 0.01, 0.99])
def test_shares_that_leave_a_part_empty_are_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match=f"share={share}"):
        held_out_items(dataset_of(LOG), share)


def test_the_option_is_a_share() -> None:
    with pytest.raises(ConfigurationError, match=r"held_out is 1\.0\. Give a share between 0 and 1"):
        override(Config(), ["data.held_out=1.0"])


def test_a_split_without_targets_is_refused() -> None:
    with pytest.raises(DataError, match=r"^tiny: no user comes to a held-out item as test target"):
        held_out_items(dataset_of({"a": [0, 1, 4, 5], "b": [0, 1, 2, 3]}), share=0.4)


def test_the_items_are_those_of_the_seed_and_a_run_does_not_choose_them() -> None:
    sample = make_sample(users=300, items=60, brands=5)
    dataset = Dataset.from_frames(sample.interactions, sample.items, catalogue="all")
    first, again, other = (held_out_items(dataset, 0.2, seed) for seed in (0, 0, 1))
    assert fingerprint(dataset, first) == fingerprint(dataset, again) != fingerprint(dataset, other)
    assert first.held_out is not None and other.held_out is not None
    assert len(first.held_out) == len(other.held_out) == 12 and set(first.held_out) != set(other.held_out)
    assert fingerprint(dataset, DataConfig(split="held-out-items", held_out=0.2).split_of(dataset)) == fingerprint(
        dataset, first
    )


logs = st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=9), min_size=1, max_size=25)


def shown(split: Split) -> list[Sequences]:
    return [split.train, split.validation.contexts, split.test.contexts]


@pytest.mark.slow
@given(logs, st.sampled_from([0.2, 0.35, 0.6]), st.integers(0, 3))
def test_held_out_items_are_seen_nowhere_and_the_rest_is_leave_one_out(
    log: list[list[int]], share: float, seed: int
) -> None:
    dataset = dataset_of({f"u{user:02}": done for user, done in enumerate(log)}, items=12)
    try:
        split = held_out_items(dataset, share, seed)
    except DataError:
        return
    assert split.held_out is not None
    held, base = set(split.held_out.tolist()), leave_one_out(dataset)
    for sequences in shown(split):
        assert not held & set(sequences.items.tolist())
    assert not set(split.validation.items.tolist()) & set(split.test.items.tolist())
    for user in range(dataset.user_count):
        left = [item for item in base.train.row(user).tolist() if item not in held]
        assert split.train.row(user).tolist() == left
    for found, whole in ((split.validation, base.validation), (split.test, base.test)):
        of_user = dict(zip(whole.users.tolist(), range(len(whole)), strict=True))
        assert len(set(found.users.tolist())) == len(found)
        assert (found.contexts.lengths > 0).all() and set(found.items.tolist()) <= held
        for row, user in enumerate(found.users.tolist()):
            context = [item for item in whole.contexts.row(of_user[user]).tolist() if item not in held]
            assert found.contexts.row(row).tolist() == context
            assert found.items[row] == whole.items[of_user[user]]
