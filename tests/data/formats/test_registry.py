"""Formats of one's own: registered by name, recognised beside those of the library, and checked when they read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from attrformer.data.download import SOURCES, find_source
from attrformer.data.formats import (
    RawFiles,
    RawFormat,
    Source,
    SourceFile,
    Tables,
    detect,
    known_formats,
    prepare,
    read_raw,
    register,
)
from attrformer.errors import ConfigurationError, DataError

pytestmark = pytest.mark.usefixtures("known_models")

PLAYS = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 7], "timestamp": [5, 4, 6]})


class Plays(RawFormat):
    """Reads nothing: the tables are these."""

    name = "plays"
    signs = ("plays.tsv",)

    def read(self, files: RawFiles) -> Tables:
        return Tables(PLAYS, notes=(files.one("plays.tsv"),))


def reading(value: Callable[[], Any]) -> type[RawFormat]:
    """A format whose tables are those that a function gives."""

    class Own(Plays):
        def read(self, files: RawFiles) -> Tables:
            return value()  # type: ignore[no-any-return]

    return Own


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "plays.tsv").write_text("1\n")
    return folder


def test_a_registered_format_is_recognised_and_read_like_any_other(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no known raw format"):
        detect(raw)
    register(Plays)
    assert detect(raw).name == detect(raw / "plays.tsv").name == "plays"
    done = prepare(raw, tmp_path / "out")
    assert str(done.format) == "plays" and done.notes == ("plays.tsv",)
    # Each user's oldest first, whatever the format gives.
    assert pl.read_parquet(tmp_path / "out" / "interactions.parquet")["timestamp"].to_list() == [4, 5, 6]
    assert read_raw(raw, "plays").interactions.equals(read_raw(raw, Plays()).interactions)
    (raw / "ratings.csv").write_text("")
    with pytest.raises(DataError, match=r"several formats \(movielens-25m, plays\)"):
        detect(raw)


def test_a_variant_stands_in_for_the_format_whose_names_it_has(raw: Path) -> None:
    class Other(Plays):
        name = "other-25m"
        variant_of = "movielens-25m"

        def recognises(self, files: RawFiles) -> bool:
            return "plays.tsv" in files

    register(Other)
    with pytest.raises(DataError, match="no known raw format"):
        detect(raw)
    (raw / "ratings.csv").write_text("")
    assert detect(raw).name == "other-25m"
    (raw / "plays.tsv").unlink()
    assert detect(raw).name == "movielens-25m"


def test_what_looks_into_files_is_asked_last(raw: Path) -> None:
    class Looking(Plays):
        name = "looking"
        last = True

        def recognises(self, files: RawFiles) -> bool:
            return True

    register(Looking)
    assert detect(raw).name == "looking"
    (raw / "x.inter").write_text("")
    assert detect(raw).name == "recbole"


def test_names_of_formats_and_data_sets_are_unique() -> None:
    register(Plays)
    register(Plays)

    def named(given: Any, **told: Any) -> type[RawFormat]:
        return type("Own", (Plays,), {"name": given, **told})

    for taken in ("recbole", "plays"):
        with pytest.raises(ConfigurationError, match=f"The name '{taken}' is that of another format"):
            register(named(taken))
    for wrong in ("", "My Plays", "plays.py", None):
        with pytest.raises(ConfigurationError, match="Give it small letters, digits and hyphens"):
            register(named(wrong))
    for wrong in (3, "plays", RawFormat, type("Unwritten", (RawFormat,), {"name": "unwritten"})):
        with pytest.raises(ConfigurationError, match=r"is no raw format\. Derive it"):
            register(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"signs = 'x\.tsv'"):
        register(named("own", signs="x.tsv"))
    with pytest.raises(ConfigurationError, match="a variant of 'absent', which is no format"):
        register(named("own", variant_of="absent"))
    assert [str(known) for known in known_formats()][-2:] == ["s3rec", "plays"]


def test_data_sets_of_a_format_can_be_fetched() -> None:
    source = Source("plays-24", "Plays", (SourceFile("plays.zip"),), "http://example.org/", "None.", "http://x")
    register(type("Own", (Plays,), {"sources": (source,)}))
    assert find_source("plays-24") is source and list(SOURCES)[-1] == "plays-24"
    taken = Source("ml-1m", *(getattr(source, name) for name in ("title", "files", "base_url", "terms", "terms_url")))
    with pytest.raises(ConfigurationError, match="The name 'ml-1m' is that of another data set"):
        register(type("Other", (Plays,), {"name": "other", "sources": (taken,)}))
    assert "other" not in map(str, known_formats())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: {}["x"], r"the format 'plays' fails \(KeyError: 'x'\)\. Correct its `read`"),
        (lambda: 3, "gives int. Return attrformer"),
        (lambda: Tables(PLAYS.to_pandas()), "gives a DataFrame as interactions. Give a polars"),
        (lambda: Tables(PLAYS.drop("item_id")), "gives interactions without the column 'item_id'"),
        (lambda: Tables(PLAYS.with_columns(item_id=None)), "leaves 'item_id' of interactions empty in row 0"),
        (lambda: Tables(PLAYS.clear()), "gives no interaction"),
        (lambda: Tables(PLAYS.cast({"timestamp": pl.Float64()})), "gives 'timestamp' as Float64. Give whole seconds"),
        (lambda: Tables(PLAYS, items=PLAYS.select("item_id")), "gives '7' twice in items"),
        (lambda: Tables(PLAYS, item_relations=PLAYS), "gives item_relations without the column 'source_item_id'"),
    ],
)
def test_what_is_no_dataset_is_told(raw: Path, tmp_path: Path, value: Callable[[], Any], message: str) -> None:
    register(reading(value))
    with pytest.raises(DataError, match=message):
        prepare(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_errors_of_the_format_itself_come_as_they_are(raw: Path) -> None:
    def refusing() -> Tables:
        raise DataError("the log ends early", fix="Fetch it again")

    register(reading(refusing))
    with pytest.raises(DataError, match=r"^the log ends early\. Fetch it again\.$"):
        read_raw(raw)
