"""Readers of the MovieLens 100K, 1M, 10M and 25M files as GroupLens publishes them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import polars as pl

from attrformer.columns import ITEM, RATING, TIMESTAMP, TITLE, USER
from attrformer.data.formats.base import RawFormat, Source, SourceFile
from attrformer.data.formats.delimited import Layout, read_delimited, to_utf8
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.tables import Tables
from attrformer.errors import DataError

YEAR, GENRES = "year", "genres"

_WHOLE = pl.Int32()
_TIMED = {USER: _WHOLE, ITEM: _WHOLE, RATING: pl.Int8(), TIMESTAMP: pl.Int64()}

# In the order of the flags of u.item; the first one marks films without a known genre.
_FLAGS_100K = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
]  # fmt: skip

_RATINGS_100K = Layout(dict(_TIMED), b"\t", encoding="latin-1")
_USERS_100K = Layout(
    {USER: _WHOLE, "age": pl.Int16(), "gender": pl.String(), "occupation": pl.String(), "zip_code": pl.String()},
    b"|",
    optional=frozenset({"zip_code"}),
    encoding="latin-1",
)
_ITEMS_100K = Layout(
    {
        ITEM: _WHOLE,
        TITLE: pl.String(),
        "release_date": pl.String(),
        "video_release_date": pl.String(),
        "address": pl.String(),
        **{genre: pl.Int8() for genre in _FLAGS_100K},
    },
    b"|",
    optional=frozenset({"release_date", "video_release_date", "address"}),
    encoding="latin-1",
)
_RATINGS_1M = Layout(dict(_TIMED), b"::", encoding="latin-1")
_USERS_1M = Layout(
    {USER: _WHOLE, "gender": pl.String(), "age": pl.Int16(), "occupation": pl.Int16(), "zip_code": pl.String()},
    b"::",
    optional=frozenset({"zip_code"}),
    encoding="latin-1",
)
_ITEMS_1M = Layout({ITEM: _WHOLE, TITLE: pl.String(), GENRES: pl.String()}, b"::", encoding="latin-1")
_RATINGS_10M = Layout({**_TIMED, RATING: pl.Float32()}, b"::", encoding="latin-1")
_RATINGS_25M = Layout({**_TIMED, RATING: pl.Float32()}, b",", header_lines=1)
_ITEMS_25M = Layout({ITEM: _WHOLE, TITLE: pl.String(), GENRES: pl.String()}, b",", header_lines=1, quoted=True)
_HEADINGS = {
    "userId": USER,
    "movieId": ITEM,
    "rating": RATING,
    "timestamp": TIMESTAMP,
    "title": TITLE,
    "genres": GENRES,
}


def read_100k(files: RawFiles) -> Tables:
    """Tables of `u.data`, `u.item` and `u.user`.

    Raises:
        DataError: a file is missing or a line cannot be read.
    """
    items = _read(files, "u.item", _ITEMS_100K)
    named = [pl.when(pl.col(genre) == 1).then(pl.lit(genre)) for genre in _FLAGS_100K[1:]]
    released = pl.col("release_date").str.extract(r"(\d{4})$").cast(pl.Int16)
    items = items.select(
        ITEM,
        TITLE,
        pl.coalesce(_year(), released).alias(YEAR),
        pl.concat_list(named).list.drop_nulls().alias(GENRES),
    )
    users = _read(files, "u.user", _USERS_100K).select(USER, "gender", "age", "occupation", "zip_code")
    return Tables(_read(files, "u.data", _RATINGS_100K), items=items, users=users)


def read_1m(files: RawFiles) -> Tables:
    """Tables of `ratings.dat`, `users.dat` and `movies.dat`.

    Raises:
        DataError: a file is missing or a line cannot be read.
    """
    items = _with_genres(_read(files, "movies.dat", _ITEMS_1M))
    users = _read(files, "users.dat", _USERS_1M)
    return Tables(_read(files, "ratings.dat", _RATINGS_1M), items=items, users=users)


def read_10m(files: RawFiles) -> Tables:
    """Tables of `ratings.dat` and `movies.dat` with half stars, which come without users.

    Raises:
        DataError: a file is missing or a line cannot be read.
    """
    items = _with_genres(_read(files, "movies.dat", _ITEMS_1M))
    notes = ("tags.dat is not read",) if "tags.dat" in files else ()
    return Tables(_read(files, "ratings.dat", _RATINGS_10M), items=items, notes=notes)


def read_25m(files: RawFiles) -> Tables:
    """Tables of `ratings.csv` and `movies.csv`, the layout of 20M, 25M and of every later release.

    Raises:
        DataError: a file is missing, its header is another one, or a line cannot be read.
    """
    items, left_out = _read_headed(files, "movies.csv", _ITEMS_25M)
    ratings, more = _read_headed(files, "ratings.csv", _RATINGS_25M)
    return Tables(ratings, items=_with_genres(items), notes=(*left_out, *more))


def _read_headed(files: RawFiles, name: str, layout: Layout) -> tuple[pl.DataFrame, list[str]]:
    """A file whose header says which column is which, and a sentence about columns that are not read."""
    source, data = files.label(files.one(name)), files.read(name)
    first = to_utf8(data.split(b"\n", 1)[0], source, layout.encoding).decode("utf-8").strip()
    columns = [word.strip().strip('"') for word in first.split(",")]
    named = [_HEADINGS.get(column, column) for column in columns]
    missing = [theirs for theirs, ours in _HEADINGS.items() if ours in layout.schema and named.count(ours) != 1]
    if missing:
        raise DataError(
            f"the header says '{first[:80]}', and '{missing[0]}' has to be there once",
            fix=f"Write the header {','.join(t for t, o in _HEADINGS.items() if o in layout.schema)}, in any order",
            source=source,
            column=missing[0],
        )
    more = [column for column in named if column not in layout.schema]
    if len(set(more)) < len(more):
        raise DataError("a column stands twice in the header", fix="Rename one", source=source, column=more[0])
    schema = {column: layout.schema.get(column, pl.String()) for column in named}
    frame = _read(files, name, replace(layout, schema=schema, optional=frozenset(more))).drop(more)
    ordered = [column for column in (USER, ITEM, TIMESTAMP, RATING) if column in layout.schema]
    frame = frame.select(*ordered, *(column for column in layout.schema if column not in ordered))
    return frame, [f"{name}: column '{column}' is not read" for column in more]


def _read(files: RawFiles, name: str, layout: Layout) -> pl.DataFrame:
    frame = read_delimited(files.read(files.one(name)), files.label(name), layout)
    ordered = [column for column in (USER, ITEM, TIMESTAMP, RATING) if column in frame.columns]
    return frame.select(*ordered, pl.exclude(ordered))


def _year() -> pl.Expr:
    """The year at the end of a title; of a span of years the first."""
    return pl.col(TITLE).str.extract(r"\((\d{4})[^()]*\)\s*$").cast(pl.Int16)


def _with_genres(items: pl.DataFrame) -> pl.DataFrame:
    """Split the genres and take the year from the title; a film without genres gets an empty list."""
    listed = pl.when(pl.col(GENRES) == "(no genres listed)").then(pl.lit("")).otherwise(pl.col(GENRES))
    split = listed.str.split("|").list.eval(pl.element().filter(pl.element() != ""))
    return items.select(ITEM, TITLE, _year().alias(YEAR), split.alias(GENRES))


_GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
_TERMS = (
    "MovieLens data of the GroupLens research group, University of Minnesota. For research: name the source in "
    "publications, do not suggest that the university endorses you, and ask GroupLens before any commercial use. "
)
_NO_COPIES = _TERMS + "Copies may not be passed on without separate permission."
_SAME_TERMS = _TERMS + "Copies may be passed on only under these same terms."


def _source(name: str, title: str, md5: str, terms: str, ending: str = "-README.txt") -> tuple[Source, ...]:
    address = f"{_GROUPLENS}{name}{ending}"
    return (Source(name, title, (SourceFile(f"{name}.zip", md5),), _GROUPLENS, terms, address),)


class MovieLens100K(RawFormat):
    """See `read_100k`."""

    name: ClassVar[str] = "movielens-100k"
    title: ClassVar[str] = "MovieLens 100K"
    signs: ClassVar[tuple[str, ...]] = ("u.data", "u.item", "u.user")
    sources = _source("ml-100k", "MovieLens 100K", "0e33842e24a9c977be4e0107933c0723", _NO_COPIES)

    def read(self, files: RawFiles) -> Tables:
        """Interactions, items and users."""
        return read_100k(files)


class MovieLens1M(RawFormat):
    """See `read_1m`."""

    name: ClassVar[str] = "movielens-1m"
    title: ClassVar[str] = "MovieLens 1M"
    signs: ClassVar[tuple[str, ...]] = ("ratings.dat", "users.dat", "movies.dat")
    sources = _source("ml-1m", "MovieLens 1M", "c4d9eecfca2ab87c1945afe126590906", _NO_COPIES)

    def read(self, files: RawFiles) -> Tables:
        """Interactions, items and users."""
        return read_1m(files)


class MovieLens10M(RawFormat):
    """See `read_10m`."""

    name: ClassVar[str] = "movielens-10m"
    title: ClassVar[str] = "MovieLens 10M"
    variant_of: ClassVar[str | None] = MovieLens1M.name

    def recognises(self, files: RawFiles) -> bool:
        """The files of 1M, but for the users."""
        return "users.dat" not in files and {"ratings.dat", "movies.dat"} <= set(files.names)

    def read(self, files: RawFiles) -> Tables:
        """Interactions and items."""
        return read_10m(files)


class MovieLens25M(RawFormat):
    """See `read_25m`."""

    name: ClassVar[str] = "movielens-25m"
    title: ClassVar[str] = "MovieLens 20M, 25M and later"
    signs: ClassVar[tuple[str, ...]] = ("ratings.csv", "movies.csv")
    sources = _source("ml-25m", "MovieLens 25M", "6b51fb2759a8657d3bfcbfc42b592ada", _SAME_TERMS, "-README.html")

    def read(self, files: RawFiles) -> Tables:
        """Interactions and items."""
        return read_25m(files)
