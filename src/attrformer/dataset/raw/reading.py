"""One door to every raw format: recognise it, read it, and make a dataset folder of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from attrformer.dataset.raw.amazon import read_amazon
from attrformer.dataset.raw.amazon_lines import read_amazon_2018, read_amazon_2023, reviews_of_2018, reviews_of_2023
from attrformer.dataset.raw.files import RawFiles
from attrformer.dataset.raw.movielens import read_1m, read_10m, read_25m, read_100k
from attrformer.dataset.raw.recbole import read_recbole
from attrformer.dataset.raw.s3rec import has_sequences, read_s3rec, sequence_files
from attrformer.dataset.raw.tables import (
    TABLE_NAMES,
    Tables,
    TablesSummary,
    check_target,
    chronological,
    summarise,
    write_tables,
)
from attrformer.dataset.table_files import ending_of
from attrformer.errors import DataError


class RawFormat(str, Enum):
    """The raw formats that can be read."""

    MOVIELENS_100K = "movielens-100k"
    MOVIELENS_1M = "movielens-1m"
    MOVIELENS_10M = "movielens-10m"
    MOVIELENS_25M = "movielens-25m"
    AMAZON_2014 = "amazon-2014"
    AMAZON_2018 = "amazon-2018"
    AMAZON_2023 = "amazon-2023"
    RECBOLE = "recbole"
    S3REC = "s3rec"


_READERS: dict[RawFormat, Callable[[RawFiles], Tables]] = {
    RawFormat.MOVIELENS_100K: read_100k,
    RawFormat.MOVIELENS_1M: read_1m,
    RawFormat.MOVIELENS_10M: read_10m,
    RawFormat.MOVIELENS_25M: read_25m,
    RawFormat.AMAZON_2014: read_amazon,
    RawFormat.AMAZON_2018: read_amazon_2018,
    RawFormat.AMAZON_2023: read_amazon_2023,
    RawFormat.RECBOLE: read_recbole,
    RawFormat.S3REC: read_s3rec,
}

# Any of these gives its format away, so that a missing companion is named instead of the whole format denied.
_SIGNS: dict[RawFormat, tuple[str, ...]] = {
    RawFormat.MOVIELENS_100K: ("u.data", "u.item", "u.user"),
    RawFormat.MOVIELENS_1M: ("ratings.dat", "users.dat", "movies.dat"),
    RawFormat.MOVIELENS_25M: ("ratings.csv", "movies.csv"),
    RawFormat.AMAZON_2014: ("reviews_*.json.gz", "reviews_*.json", "meta_*.json.gz", "meta_*.json"),
    RawFormat.RECBOLE: ("*.inter",),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` did.

    Args:
        raw: where the raw files lie.
        format: how they were read.
        folder: the dataset folder that was written.
        summary: how much it holds.
        notes: sentences that say what was left out.
    """

    raw: Path
    format: RawFormat
    folder: Path
    summary: TablesSummary
    notes: tuple[str, ...] = ()


def detect(path: Path | str) -> RawFormat:
    """The format of the raw files in a zip archive or folder, or of one raw file.

    Raises:
        DataError: the path cannot be read, no format fits, or more than one does.
    """
    return _detect(RawFiles(path))


def read_raw(path: Path | str, format: RawFormat | str | None = None) -> Tables:
    """Read raw files of a known format.

    Args:
        path: a zip archive, a folder, or the main file of the format beside its companions.
        format: a value of `RawFormat`; recognised from the file names where None.

    Returns:
        The tables, interactions in chronological order within each user where times are known.

    Raises:
        DataError: anything that cannot be read; names the file and, where one is to blame, column and row.
    """
    files = RawFiles(path)
    return _read(files, _detect(files) if format is None else _named(format))


def prepare(
    raw: Path | str, out: Path | str, *, format: RawFormat | str | None = None, overwrite: bool = False
) -> Prepared:
    """Turn raw files into a dataset folder.

    Args:
        raw: as for `read_raw`.
        out: the dataset folder to write.
        format: as for `read_raw`.
        overwrite: replace an earlier dataset folder.

    Returns:
        Where the folder lies and how much it holds.

    Raises:
        DataError: the raw files cannot be read or the folder cannot be written.
    """
    check_target(out, overwrite=overwrite)
    files = RawFiles(raw)
    known = _detect(files) if format is None else _named(format)
    tables = _read(files, known)
    folder = write_tables(tables, out, overwrite=overwrite)
    return Prepared(raw=Path(raw), format=known, folder=folder, summary=summarise(tables), notes=tables.notes)


def _read(files: RawFiles, known: RawFormat) -> Tables:
    tables = _READERS[known](files)
    return replace(tables, interactions=chronological(tables.interactions))


def _named(format: RawFormat | str) -> RawFormat:
    try:
        return RawFormat(format)
    except ValueError:
        known = ", ".join(member.value for member in RawFormat)
        raise DataError(f"there is no raw format '{format}'", fix=f"Use one of {known}") from None


def _detect(files: RawFiles) -> RawFormat:
    candidates = [known for known, signs in _SIGNS.items() if _has_sign(files, signs)]
    candidates = _of_content(files, candidates)
    if not candidates and any(has_sequences(files, name) for name in sequence_files(files)):
        candidates = [RawFormat.S3REC]
    if len(candidates) == 1:
        return candidates[0]
    known = ", ".join(member.value for member in RawFormat)
    if candidates:
        raise DataError(
            f"the files fit several formats ({', '.join(member.value for member in candidates)})",
            fix="Name the format, or the file or folder of one data set",
            source=str(files.path),
        )
    tables = [name for name in files.names if name.partition(".")[0] in TABLE_NAMES and ending_of(Path(name))]
    if tables:
        folder = files.path if files.path.is_dir() else files.path.parent
        raise DataError(
            f"these are plain tables ({', '.join(tables)}), which need no preparing",
            fix=f"Pass their folder to --data: attrformer train --data {folder} --out runs/{folder.resolve().name}",
            source=str(files.path),
        )
    raise DataError(
        f"no known raw format; present are: {', '.join(files.names[:8]) or 'no files'}",
        fix=f"Give a zip archive, folder or file of one of these formats: {known}",
        source=str(files.path),
    )


def _of_content(files: RawFiles, candidates: list[RawFormat]) -> list[RawFormat]:
    """The formats that are left, or found, after a look at which files are there and how they begin."""
    found = list(candidates)
    if (
        RawFormat.MOVIELENS_1M in found
        and "users.dat" not in files
        and {"ratings.dat", "movies.dat"} <= set(files.names)
    ):
        found[found.index(RawFormat.MOVIELENS_1M)] = RawFormat.MOVIELENS_10M
    if found in ([], [RawFormat.AMAZON_2014]) and not files.matching("reviews_*.json.gz", "reviews_*.json"):
        if reviews_of_2018(files):
            return [RawFormat.AMAZON_2018]
        if not found and reviews_of_2023(files):
            return [RawFormat.AMAZON_2023]
    return found


def _has_sign(files: RawFiles, signs: tuple[str, ...]) -> bool:
    """Whether a file that matches is there; where one file was named, whether that one matches."""
    found = files.matching(*signs)
    return files.focus in found if files.focus is not None else bool(found)
