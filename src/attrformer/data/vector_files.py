"""Vectors of items or users in files beside the tables: NumPy arrays and safetensors."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import DataError

VECTOR_ENDINGS: Final = (".npz", ".npy", ".safetensors")
"""Of files that hold vectors."""

IDS: Final = "ids"
VECTORS: Final = "vectors"
_FORMS: Final = (
    "Save np.savez('image.npz', ids=ids, vectors=vectors), with ids [n] as text or whole numbers and vectors [n, d] as "
    "numbers"
)
_DAMAGED: Final = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


class VectorTable(NamedTuple):
    """Vectors and whose they are.

    Args:
        ids: `[n]` as text; None where the vectors are in the order of the rows of a table.
        vectors: `[n, d]` of numbers, possibly on the disk still.
        source: the file, or the name of the argument.
    """

    ids: list[str] | None
    vectors: NDArray[Any]
    source: str


def read_vectors(given: Path | str | Mapping[Any, Any], source: str, wanted: Collection[str]) -> VectorTable:
    """Vectors from a file or a mapping.

    Files are `.npz` with the arrays `ids` and `vectors`; `.npy` `[n, d]`, with the ids in a text file beside it
    (`image.ids.txt` beside `image.npy`, one a line); and `.safetensors`, either with the same two arrays or with one
    tensor `[d]` under each id. Nothing in a file is run.

    Args:
        given: the path, or a mapping of id to vector.
        source: what error messages call a mapping.
        wanted: ids as text; of files with a tensor for each id only these are read.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    if isinstance(given, Mapping):
        return _stacked(source, {str(key): value for key, value in given.items()}.items())
    if not isinstance(given, (str, Path)):
        raise DataError(
            f"a {type(given).__name__} is given",
            fix="Give the path of a file or a mapping of id to vector",
            source=source,
        )
    path = Path(given)
    if not path.is_file():
        raise DataError("there is no such file", fix="Check the path", source=str(path))
    readers: dict[str, Callable[[Path, Collection[str]], VectorTable]] = dict(
        zip(VECTOR_ENDINGS, (_read_npz, _read_npy, _read_safetensors), strict=True)
    )
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"the ending '{path.suffix}' is not known",
            fix=f"Give one of {', '.join(VECTOR_ENDINGS)}",
            source=str(path),
        )
    try:
        return reader(path, wanted)
    except _DAMAGED as error:
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        if "pickle" in problem or "object" in problem:
            problem = "it is damaged, or holds Python objects, which are never read"
        raise DataError(f"it cannot be read ({problem})", fix=_FORMS, source=str(path)) from error


def _read_npz(path: Path, wanted: Collection[str]) -> VectorTable:
    with np.load(path, allow_pickle=False) as arrays:
        if not {IDS, VECTORS} <= set(arrays.files):
            raise DataError(f"it holds {', '.join(arrays.files) or 'nothing'}", fix=_FORMS, source=str(path))
        return _checked(path, arrays[IDS], arrays[VECTORS])


def _read_npy(path: Path, wanted: Collection[str]) -> VectorTable:
    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    beside = path.with_name(f"{path.stem}.ids.txt")
    if not beside.is_file():
        return _checked(path, None, vectors)
    try:
        text = beside.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("the text is not UTF-8", fix="Save the file as UTF-8", source=str(beside)) from error
    return _checked(path, np.array(text.splitlines(), dtype=str), vectors)


def _read_safetensors(path: Path, wanted: Collection[str]) -> VectorTable:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            names = list(tensors.keys())
            if set(names) == {IDS, VECTORS}:
                return _checked(path, tensors.get_tensor(IDS), tensors.get_tensor(VECTORS))
            return _stacked(str(path), ((name, tensors.get_tensor(name)) for name in names if name in wanted))
    except (SafetensorError, TypeError, AttributeError) as error:
        raise DataError(
            f"it cannot be read ({error})", fix="Save tensors of float32 or float16, one for each id", source=str(path)
        ) from error


def _checked(path: Path, ids: NDArray[Any] | None, vectors: NDArray[Any]) -> VectorTable:
    """Vectors in a matrix, once its shape and type are known to be right."""
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or not vectors.shape[1]:
        shape = list(vectors.shape)
        raise DataError(f"its vectors are of the shape {shape} and type {vectors.dtype}", fix=_FORMS, source=str(path))
    if ids is None:
        return VectorTable(None, vectors, str(path))
    if ids.ndim != 1 or ids.dtype.kind not in "iuUS" or len(ids) != len(vectors):
        raise DataError(
            f"its ids are of the shape {list(ids.shape)} and type {ids.dtype}, and there are {len(vectors)} vectors",
            fix=_FORMS,
            source=str(path),
        )
    texts = [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in ids.tolist()]
    return VectorTable(_distinct(texts, str(path)), vectors, str(path))


def _stacked(source: str, vectors: Any) -> VectorTable:
    """Vectors that come one by one."""
    ids, rows = list[str](), list[NDArray[np.float32]]()
    for name, vector in vectors:
        try:
            row = np.asarray(vector, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"the vector of '{name}' holds no numbers", fix="Give lists of numbers", source=source
            ) from error
        if row.ndim != 1 or not len(row) or (rows and len(row) != len(rows[0])):
            raise DataError(
                f"the vector of '{name}' has the shape {list(row.shape)}"
                + (f", and that of '{ids[0]}' {list(rows[0].shape)}" if rows else ""),
                fix="Give vectors of one length, one for each id",
                source=source,
            )
        ids.append(name)
        rows.append(row)
    if not rows:
        raise DataError(
            "it holds no vector of an id of the data", fix="Use the same ids as the tables do", source=source
        )
    return VectorTable(_distinct(ids, source), np.stack(rows), source)


def _distinct(ids: list[str], source: str) -> list[str]:
    if len(set(ids)) < len(ids):
        seen = set[str]()
        again = next(row for row, name in enumerate(ids) if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"'{ids[again]}' has more than one vector", fix="Keep one of them", source=source, row=again)
    return ids
