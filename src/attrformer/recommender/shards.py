"""Shards of a query: each machine computes one, and together they are the file that one machine would have written.

A shard is a run of whole pieces. It is kept as a folder of parquet files with a manifest, which names the query, the
pieces and their checksums, so that nothing of another query, nothing damaged and nothing twice gets into the file.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from attrformer.errors import ConfigurationError, ShardError
from attrformer.io import file_checksum, has_checksum, read_json, with_checksum, write_json
from attrformer.locks import locked_place
from attrformer.recommender.pieces import MANIFEST, Piece, PieceFiles, join_pieces, rows_of

FORMAT: Final = "attrformer-shard"
VERSION: Final = 1
_FOLDER: Final = re.compile(r"0*([1-9]\d*)-of-([1-9]\d*)")
_JOINED: Final = ".joined"
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts of a query that have about as many pieces each.

    Args:
        number: of the shard, from 1 to `of`.
        of: how many shards there are.

    Raises:
        ConfigurationError: there is no such shard.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ConfigurationError(
                f"shard is {self}. The first of {max(self.of, 1)} shards is 1/{max(self.of, 1)} and the last "
                f"{max(self.of, 1)}/{max(self.of, 1)}; where a scheduler counts from 0, add 1."
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that a text such as "3/8" names.

        Raises:
            ConfigurationError: it names none.
        """
        found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII)
        if found is None:
            raise ConfigurationError(f"shard is '{text}'. Write it as i/n, such as 3/8 for the third of 8.")
        return cls(int(found[1]), int(found[2]))

    @property
    def name(self) -> str:
        """Name of its folder, such as 03-of-16: in the order of names, shards are in the order of users."""
        return f"{self.number:0{len(str(self.of))}d}-of-{self.of}"

    def among(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces of this shard.

        Args:
            pieces: of the whole query.

        Raises:
            ConfigurationError: there are more shards than pieces.
        """
        if self.of > len(pieces):
            raise ConfigurationError(
                f"shard is {self}, and the {pieces[-1].stop:,} users make {len(pieces):,} pieces of up to "
                f"{len(pieces[0]):,}, which are not divided. Give {len(pieces):,} or fewer for n, or the same smaller "
                "save_every (--save-every) to all shards."
            )
        return pieces[len(pieces) * (self.number - 1) // self.of : len(pieces) * self.number // self.of]


def shards_folder(out: Path) -> Path:
    """Where the shards of a file are kept until they are joined."""
    return out.with_name(f"{out.name}.shards")


def write_manifest(
    folder: Path, shard: Shard, query: str, pieces: int, kept: PieceFiles, computed_with: Mapping[str, Any]
) -> int:
    """Marks the folder of a shard as complete.

    Args:
        folder: of the shard.
        shard: which one it is.
        query: fingerprint of the query.
        pieces: of the whole query.
        kept: the pieces of this shard.
        computed_with: what else the last bits of scores depend on.

    Returns:
        Rows of the shard.
    """
    files = [
        {"piece": number, "file": path.name, "rows": rows_of(pl.scan_parquet(path)), "sha256": kept.checksums[number]}
        for number, path in sorted(kept.files.items())
    ]
    described = {"format": FORMAT, "version": VERSION, "query": query, "shard": shard.number, "of": shard.of}
    more = {"pieces": pieces, "computed_with": dict(computed_with), "files": files}
    write_json(folder / MANIFEST, with_checksum({**described, **more}))
    return sum(int(str(file["rows"])) for file in files)


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of shards.

    Args:
        rows: of the file.
        notes: sentences without a full stop on what may differ from the file that one machine writes.
    """

    rows: int
    notes: tuple[str, ...]


def join_shards(out: Path) -> Joined:
    """Makes one file of its shards, equal to what one machine writes byte by byte, and removes them.

    A call that was killed can be made again, whatever it was doing.

    Args:
        out: the .csv or .parquet file that the shards were computed for.

    Raises:
        ShardError: a shard is missing, unfinished, damaged, there twice or of another query; nothing is written, and
            the shards stay.
        BusyError: another process is writing the file.
        WriteError: it cannot be written; one that lies there is as it was, and the shards stay.
    """
    folder = shards_folder(out)
    with locked_place(out):
        if _only_to_remove(folder, out):
            table = pl.scan_parquet(out) if out.suffix == ".parquet" else pl.scan_csv(out, infer_schema=False)
            return Joined(rows_of(table), ())
        found = _complete(folder, [_read(each) for each in _folders(folder)])
        paths = {int(file["piece"]): _checked(shard, file) for shard in found for file in shard.described["files"]}
        rows = join_pieces([paths[number] for number in sorted(paths)], out)
        _remove(folder, [shard.folder.rename(_retired(shard.folder)) for shard in found])
    return Joined(rows, tuple(_differences([shard.described["computed_with"] for shard in found])))


def _retired(shard: Path) -> Path:
    """The name of a shard that is in the file and only waits to be removed; all get it before one is removed."""
    return shard.with_name(f".{shard.name}{_JOINED}")


def _remove(folder: Path, retired: list[Path]) -> None:
    for each in retired:
        (each / MANIFEST).unlink(missing_ok=True)
    for each in retired:
        shutil.rmtree(each)
    with suppress(OSError):
        folder.rmdir()


def _only_to_remove(folder: Path, out: Path) -> bool:
    """Whether an earlier call was killed while it removed the shards, which is done then."""
    retired = list(folder.glob(f".*{_JOINED}"))
    names = [each.with_name(each.name[1 : -len(_JOINED)]) for each in retired]
    others = any(each.is_dir() and not each.name.startswith(".") for each in folder.glob("*"))
    if retired and not others and out.is_file():
        _remove(folder, retired)
        return True
    # It had not come to removing: the shards are those of before, but for what was computed again since.
    for each, name in zip(retired, names, strict=True):
        if (each / MANIFEST).is_file() and not name.exists():
            each.rename(name)
        else:
            shutil.rmtree(each)
    return False


@dataclass(frozen=True, slots=True)
class _Stored:
    """A shard that was read: where it lies, which one it is, and its manifest."""

    folder: Path
    shard: Shard
    described: dict[str, Any]


def _folders(folder: Path) -> list[Path]:
    """The folders of shards.

    Raises:
        ShardError: there are none, or one is unfinished.
    """
    found = sorted(each for each in folder.glob("*") if each.is_dir() and not each.name.startswith("."))
    if not found:
        raise ShardError(f"There is no shard in {folder}. Compute them first: attrformer recommend ... --shard 1/n", ())
    for each in found:
        if not (each / MANIFEST).is_file():
            named = _FOLDER.fullmatch(each.name)
            numbers = (int(named[1]),) if named else ()
            raise ShardError(f"{each} is no finished shard. Give its command again, which goes on.", numbers)
    return found


def _read(folder: Path) -> _Stored:
    try:
        described = read_json(folder / MANIFEST)
        sound = isinstance(described, dict) and has_checksum(described) and described.get("format") == FORMAT
    except (OSError, ValueError):
        sound = False
    if not sound or described.get("version") != VERSION:
        named = _FOLDER.fullmatch(folder.name)
        problem = "is of another version" if sound else "is damaged"
        raise ShardError(
            f"{folder / MANIFEST} {problem}. Compute the shard again.", (int(named[1]),) if named else ()
        ) from None
    return _Stored(folder, Shard(described["shard"], described["of"]), described)


def _complete(folder: Path, found: list[_Stored]) -> list[_Stored]:
    """The shards in their order.

    Raises:
        ShardError: they are not the shards of one query, each once.
    """
    first = found[0]
    there: dict[int, _Stored] = {}
    for each in found:
        if each.described["query"] != first.described["query"]:
            raise ShardError(
                f"Shard {each.shard} in {each.folder} and shard {first.shard} in {first.folder} are of different "
                "queries: another model, other users or other options. Compute one of them again, or remove it.",
                (first.shard.number, each.shard.number),
            )
        if each.shard.of != first.shard.of:
            raise ShardError(
                f"{each.folder} is shard {each.shard}, and {first.folder} is shard {first.shard}. Remove those of one "
                "count.",
                (first.shard.number, each.shard.number),
            )
        if each.shard.number in there:
            twice = there[each.shard.number]
            raise ShardError(
                f"Shard {each.shard} is there twice, in {twice.folder} and in {each.folder}. Remove one.",
                (each.shard.number,),
            )
        there[each.shard.number] = each
    missing = [number for number in range(1, first.shard.of + 1) if number not in there]
    if missing:
        shown = ", ".join(f"{number}/{first.shard.of}" for number in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        raise ShardError(f"{folder} lacks shard {shown}{more}. Compute what is missing.", tuple(missing))
    return [there[number] for number in sorted(there)]


def _checked(stored: _Stored, file: Mapping[str, Any]) -> Path:
    path = stored.folder / Path(file["file"]).name
    with suppress(OSError):
        if file_checksum(path) == file["sha256"]:
            return path
    raise ShardError(
        f"Shard {stored.shard} lacks piece {path}, or it is damaged. Give the command of the shard again, which "
        "computes that piece anew.",
        (stored.shard.number,),
    )


def _differences(computed_with: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    values: dict[str, set[str]] = {}
    for each in computed_with:
        for name, value in each.items():
            values.setdefault(name, set()).add(str(value))
    for name, different in sorted(values.items()):
        if len(different) > 1:
            yield (
                f"shards were computed with different values of {name} ({', '.join(sorted(different))}), so that the "
                "last digits of scores may differ from those of one machine"
            )
