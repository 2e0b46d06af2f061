"""Raw files by their plain names, whether they lie in a zip archive, in a folder, or beside the one that was named."""

from __future__ import annotations

import fnmatch
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from attrformer.errors import DataError

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError, RuntimeError)
_CHUNK_BYTES = 1 << 26


class RawFiles:
    """The files of one raw data set.

    Args:
        path: a zip archive, a folder, or one file; of a file's folder, only what belongs to that file is used.

    Raises:
        DataError: the path does not exist, cannot be read, or is a damaged archive.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser()
        self.focus: str | None = None
        self._archive = False
        try:
            self._members = self._list()
        except OSError as error:
            raise DataError(
                f"the path cannot be read ({error.strerror or error})",
                fix="Check its spelling and permissions",
                source=str(self.path),
            ) from error

    def _list(self) -> dict[str, str]:
        if self.path.is_dir():
            return _by_name([str(entry.relative_to(self.path)) for entry in _files_below(self.path)])
        if not self.path.exists():
            raise DataError("there is no such file or folder", fix="Check the path", source=str(self.path))
        if self.path.suffix.lower() == ".zip":
            self._archive = True
            return _by_name(self._archive_members())
        self.focus = self.path.name
        return {entry.name: entry.name for entry in sorted(self.path.parent.iterdir()) if entry.is_file()}

    def _archive_members(self) -> list[str]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                return [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        except _DAMAGED as error:
            raise _damaged(str(self.path), error) from error

    @property
    def names(self) -> list[str]:
        """Plain names of all files, sorted."""
        return sorted(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def matching(self, *patterns: str) -> list[str]:
        """Plain names that match one of the shell patterns; only the file that was named, where it matches."""
        found = [name for name in self.names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
        return [self.focus] if self.focus in found else found

    def shows(self, *patterns: str) -> bool:
        """Whether a file that matches is there; where one file was named, whether that one matches."""
        found = self.matching(*patterns)
        return self.focus in found if self.focus is not None else bool(found)

    def one(self, *patterns: str) -> str:
        """The single file that matches one of the patterns.

        Raises:
            DataError: no file matches, or more than one does.
        """
        found = self.matching(*patterns)
        if not found:
            raise DataError(
                f"the file '{patterns[0]}' is missing",
                fix=f"Put it beside the others, or fetch the data set again; present are: {', '.join(self.names[:8])}",
                source=str(self.path),
            )
        if len(found) > 1:
            raise DataError(
                f"several files match '{patterns[0]}': {', '.join(found[:5])}",
                fix="Name the one that is meant instead of its folder",
                source=str(self.path),
            )
        return found[0]

    def label(self, name: str) -> str:
        """The file as messages name it."""
        root = self.path.parent if self.focus is not None else self.path
        return str(root / self._members[name])

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The unpacked bytes of a file, as a stream; damage found while reading becomes a DataError."""
        try:
            with self._raw(name) as stream:
                yield cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if name.endswith(".gz") else stream
        except _DAMAGED as error:
            raise _damaged(self.label(name), error) from error
        except OSError as error:
            raise DataError(f"the file cannot be read ({error})", fix="Check it", source=self.label(name)) from error

    @contextmanager
    def _raw(self, name: str) -> Iterator[IO[bytes]]:
        if not self._archive:
            with open(self.label(name), "rb") as stream:
                yield stream
            return
        with zipfile.ZipFile(self.path) as archive, archive.open(self._members[name]) as member:
            yield member

    def read(self, name: str) -> bytes:
        """All unpacked bytes of a file."""
        with self.open(name) as stream:
            return stream.read()

    def chunks(self, name: str, size: int = _CHUNK_BYTES) -> Iterator[bytes]:
        """The unpacked bytes of a file in pieces of about `size` bytes that end where a line ends."""
        with self.open(name) as stream:
            while piece := stream.read(size):
                yield piece + stream.readline()


def _files_below(folder: Path) -> list[Path]:
    """Files in a folder and in its direct subfolders, hidden ones left out."""
    found: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            found.append(entry)
        elif entry.is_dir():
            found.extend(inner for inner in sorted(entry.iterdir()) if inner.is_file())
    return found


def _by_name(paths: list[str]) -> dict[str, str]:
    """Relative paths by their last part; where a name occurs twice the path nearer to the top is meant."""
    usable = [path for path in paths if not Path(path).name.startswith(".")]
    ordered = sorted(usable, key=lambda path: (len(Path(path).parts), path), reverse=True)
    return {Path(path).name: path for path in ordered}


def _damaged(source: str, error: Exception) -> DataError:
    """The error for an archive or compressed file that cannot be unpacked."""
    return DataError(
        f"the file is cut short, damaged or no archive of its kind ({error})",
        fix="Delete it and fetch it again",
        source=source,
    )
