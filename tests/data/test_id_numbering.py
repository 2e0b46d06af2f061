"""Ids that number items by what users did are recognised, and others are left in peace."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.data.numbered import Numbering, numbered, renamed

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data.dataset import Dataset
from attrformer.data.filters import core_filter
from attrformer.data.id_numbering import IdNumbering, id_numbering
from attrformer.data.same_time import shuffle_same_time
from attrformer.data.sample import sample_dataset

FIRST_APPEARANCE = "first appearance"


def found(data: pl.DataFrame | Dataset) -> IdNumbering:
    dataset = Dataset.from_frames(data) if isinstance(data, pl.DataFrame) else data
    return id_numbering(dataset.item_ids, dataset.sequences, dataset.user_ids)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_numbers_by_first_appearance_are_found(seed: int, timed: bool) -> None:
    frame = numbered(FIRST_APPEARANCE, seed)
    frame = frame if timed else frame.drop(TIMESTAMP)
    assert found(frame).kind == FIRST_APPEARANCE
    text = frame.with_columns(pl.format("i{}", ITEM), pl.col(USER).cast(pl.String))
    assert found(text).kind == FIRST_APPEARANCE
    hashed = frame.with_columns(renamed(frame[USER], seed))
    assert found(hashed).kind == FIRST_APPEARANCE
    assert found(core_filter(Dataset.from_frames(hashed), 5)).kind == FIRST_APPEARANCE


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.8, 0.5, 0.2])
def test_numbers_by_first_appearance_are_found_where_users_are_missing(share: float) -> None:
    for seed in range(3):
        frame = numbered(FIRST_APPEARANCE, seed, users=1500, items=1500)
        kept = np.random.default_rng(seed).random(1500) < share
        assert found(frame.filter(pl.Series(kept[frame[USER].to_numpy()]))).kind == FIRST_APPEARANCE


def test_numbers_by_first_appearance_are_found_where_every_tenth_was_given_out_again() -> None:
    for seed in range(3):
        frame = numbered(FIRST_APPEARANCE, seed)
        rng = np.random.default_rng(seed)
        place = np.arange(400.0)
        again = rng.random(400) < 0.1
        place[again] = 400 * rng.random(int(again.sum()))
        number = pl.Series(place.argsort().argsort())
        assert found(frame.with_columns(number.gather(frame[ITEM]).alias(ITEM))).kind == FIRST_APPEARANCE


def test_the_order_inside_one_time_does_not_count() -> None:
    for seed in range(3):
        frame = numbered(FIRST_APPEARANCE, seed, users=600, items=800, mean=16)
        place = pl.int_range(pl.len()).over(USER)
        days = frame.with_columns((place // 4 * 86_400).alias(TIMESTAMP)).with_columns(renamed(frame[USER], seed))
        assert found(days).kind == FIRST_APPEARANCE
        shuffled = shuffle_same_time(Dataset.from_frames(days))
        assert found(shuffled).kind == FIRST_APPEARANCE


def test_a_small_table_in_the_order_of_its_users_is_enough() -> None:
    for seed in range(5):
        assert found(numbered(FIRST_APPEARANCE, seed, users=60, items=50, mean=8)).kind == FIRST_APPEARANCE


def test_numbers_by_the_time_of_the_first_interaction_are_a_kind_of_their_own() -> None:
    for seed in range(3):
        frame = numbered("first interaction", seed)
        assert found(frame).kind == "first interaction"
        assert found(frame.filter(pl.col(USER) % 5 > 0)).kind == "first interaction"
        hours = frame.with_columns(pl.col(TIMESTAMP) // 3600)
        assert found(hours).kind == "first interaction"


@pytest.mark.parametrize("numbering", ["listing", "random"])
@pytest.mark.parametrize("series", [1, 8])
def test_other_numbers_are_neither(numbering: Numbering, series: int) -> None:
    for seed, (users, items, mean) in enumerate([(60, 50, 8), (200, 50, 8), (300, 400, 10), (300, 300, 40)]):
        frame = numbered(numbering, seed, users, items, mean, series)
        for other in (frame, frame.drop(TIMESTAMP), frame.drop(TIMESTAMP).sort(USER, ITEM)):
            assert found(other).kind == "none"


def test_albums_and_courses_are_not_taken_for_what_one_user_brought() -> None:
    rng = np.random.default_rng(0)
    heard = [(user, int(album)) for user in range(400) for album in rng.permutation(300)[:3]]
    albums = [(user, 10 * album + track) for user, album in heard for track in range(10)]
    courses = [(user, lesson) for user in range(300) for lesson in range(int(rng.integers(3, 60)))]
    for rows in (albums, courses):
        assert found(pl.DataFrame(rows, schema=[USER, ITEM], orient="row")).kind == "none"


def test_too_little_says_nothing() -> None:
    few = pl.DataFrame({USER: [1, 1, 2, 2], ITEM: [1, 2, 2, 3]})
    assert found(few).kind == "none" and "too few" in found(few).sentence
    one_user = pl.DataFrame({USER: [1] * 30, ITEM: list(range(30))})
    assert found(one_user).kind == "none"
    assert found(sample_dataset()).kind == "none"


def test_the_evidence_is_told() -> None:
    numbering = found(numbered(FIRST_APPEARANCE))
    assert numbering.evidence["walk"] == 1.0
    assert numbering.evidence["brought by one user"] > 10 * numbering.evidence["brought by one user, expected"]
    assert "says whose it is" in numbering.sentence and "100 %" in numbering.sentence


def test_movielens_100k_numbers_films_user_by_user(data_root: Path, tmp_path: Path) -> None:
    """What a user brought has consecutive numbers there, in no order of the user's own."""
    with zipfile.ZipFile(data_root / "raw" / "ml-100k.zip") as archive:
        (tmp_path / "u.data").write_bytes(archive.read("ml-100k/u.data"))
    names = [USER, ITEM, "rating", TIMESTAMP]
    frame = pl.read_csv(tmp_path / "u.data", separator="\t", has_header=False, new_columns=names)
    lowest = frame.group_by(ITEM).agg(pl.col(USER).min()).sort(ITEM)[USER].to_numpy()
    assert (np.diff(lowest) >= 0).all()
    assert found(frame).kind == FIRST_APPEARANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["beauty", "toys", "ml-1m"])
def test_shops_that_number_as_they_list_are_left_in_peace(name: str, data_root: Path) -> None:
    dataset = Dataset.load(data_root / name)
    assert found(dataset).kind == "none"
