"""Interactions that are coded and sorted, in a folder: arrays to be mapped into memory, ids, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import AttributeKind
from attrformer.data.id_map import IdMap
from attrformer.data.meaning import Meaning
from attrformer.data.options import INTERACTIONS, TableOptions, columns_for
from attrformer.data.prepared.names import FILES, FORMAT, ITEMS, MANIFEST, PREPARED, TIMES
from attrformer.data.sequences import Sequences
from attrformer.errors import DataError
from attrformer.io import CHECKSUM, file_checksum, has_checksum, read_json

TYPES: Final[dict[str, np.dtype[Any]]] = {"offsets": np.dtype("<i8"), ITEMS: np.dtype("<i4"), TIMES: np.dtype("<i8")}
FLOAT: Final[np.dtype[Any]] = np.dtype("<f4")
_AGAIN: Final = "Prepare the tables again"
_CHEAP: Final = 1 << 26
"""Bytes whose checksums are compared whenever they are opened, which takes some hundredths of a second."""


@dataclass(frozen=True, slots=True)
class PreparedInteractions:
    """A table of interactions that was prepared.

    Args:
        user_ids: of the users, in the order of the rows of `sequences`.
        item_ids: of the catalogue.
        sequences: views of files, one row for each user.
        names: the columns of the table but those that number the rows.
        source: what messages call the table.
        about: notes on the file: columns left out, words read as missing.
        told: notes on the type of ids.
        said: notes on how the columns were read.
        last: the latest time, or None.
        options: how the table was read.
    """

    user_ids: IdMap
    item_ids: IdMap
    sequences: Sequences
    names: tuple[str, ...]
    source: str
    about: tuple[str, ...]
    told: tuple[str, ...]
    said: tuple[str, ...]
    last: int | None
    options: Mapping[str, Any]

    def check_options(self, options: TableOptions, kinds: Mapping[str, AttributeKind | None]) -> None:
        """Refuses options with which the interactions would have been read in another way.

        Args:
            options: how the tables are to be read.
            kinds: declared kinds of columns of the interactions.

        Raises:
            DataError: an option differs.
        """
        asked = reading_options(options, kinds)
        for name, value in asked.items():
            ours = self.options.get(name)
            if name == "columns":
                ours, value = (_renamed(held or {}, self.names) for held in (ours, value))
            if ours != value:
                raise DataError(
                    f"the interactions were prepared with {name}={ours!r}, and {value!r} is asked for",
                    fix=f"{_AGAIN} with that option, or leave it out",
                    source=self.source,
                )


def _renamed(columns: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The columns of the interactions that are mapped to another name."""
    columns = columns_for(columns, INTERACTIONS)
    return {name: columns[name] for name in names if name in columns}


def reading_options(options: TableOptions, kinds: Mapping[str, AttributeKind | None]) -> dict[str, Any]:
    """The options on which prepared interactions depend, as plain values.

    Args:
        options: how the tables are read.
        kinds: declared kinds of columns of the interactions; None for columns to be ignored.
    """
    return {
        "columns": dict(options.columns),
        "kinds": {name: None if kind is None else kind.value for name, kind in sorted(kinds.items())},
        "catalogue": options.catalogue,
        "duplicates": options.duplicates,
        "date_order": options.date_order,
        "decimal": options.decimal,
        "headers": options.headers.get(INTERACTIONS),
    }


def is_prepared(folder: Path) -> bool:
    """Whether a dataset folder holds prepared interactions."""
    return (folder / PREPARED).is_dir()


def open_prepared(folder: Path, *, checked: bool = False) -> PreparedInteractions | None:
    """The prepared interactions of a dataset folder, mapped into memory.

    The sizes of the files are compared with the manifest, and their checksums where that takes no longer than to open
    them.

    Args:
        folder: the dataset folder.
        checked: whether checksums are compared however large the files are.

    Returns:
        None where there are none.

    Raises:
        DataError: they are damaged, or of another version.
    """
    place = folder / PREPARED
    if not place.is_dir():
        return None
    try:
        manifest = read_json(place / MANIFEST)
        if not isinstance(manifest, dict) or not has_checksum(manifest):
            raise ValueError(f"{MANIFEST} was changed or cut off")
        if manifest["format"] != FORMAT:
            raise ValueError(f"it has format {manifest['format']}, and this version reads {FORMAT}")
        _check_files(place, manifest, whole=checked)
        users, items = (IdMap(pl.read_ipc(place / f"{name}.arrow")["id"]) for name in ("users", "items"))
        return PreparedInteractions(
            users,
            items,
            _sequences(place, manifest, len(users)),
            tuple(manifest["names"]),
            manifest["source"]["name"],
            tuple(manifest["about"]),
            tuple(manifest["told"]),
            tuple(manifest["said"]),
            manifest["last"],
            manifest["options"],
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"it cannot be read ({error})", fix=_AGAIN, source=str(place)) from error


def _check_files(place: Path, manifest: Mapping[str, Any], *, whole: bool) -> None:
    # Earlier releases kept neither sizes nor checksums.
    held = manifest.get(FILES, {})
    for name, described in held.items():
        size = (place / name).stat().st_size
        if size != described["bytes"]:
            raise ValueError(f"{name} has {size:,} bytes, and {described['bytes']:,} were written")
    if whole or sum(described["bytes"] for described in held.values()) <= _CHEAP:
        for name, described in held.items():
            if file_checksum(place / name) != described[CHECKSUM]:
                raise ValueError(f"{name} is not what was written")


def _sequences(place: Path, manifest: Mapping[str, Any], users: int) -> Sequences:
    count = manifest["interactions"]
    columns = manifest["behaviours"]
    offsets = _mapped(place / "offsets.npy", TYPES["offsets"], users + 1)
    times = _mapped(place / "times.npy", TYPES[TIMES], count) if manifest["timed"] else None
    behaviours = {
        column["name"]: _mapped(place / f"behaviour-{number}.npy", FLOAT, count)
        for number, column in enumerate(columns)
    }
    labels = {column["name"]: tuple(column["labels"]) for column in columns if column["labels"] is not None}
    items = _mapped(place / "items.npy", TYPES[ITEMS], count)
    order = manifest.get("date_order", "")
    return Sequences(
        offsets, items, times, behaviours, Meaning(labels, date_orders={INTERACTIONS: order} if order else {})
    )


def _mapped(file: Path, kind: np.dtype[Any], count: int) -> NDArray[Any]:
    array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    if array.dtype != kind or array.shape != (count,):
        raise ValueError(f"{file.name} has another type or length than {MANIFEST} says")
    return array
