"""Fetching public data sets by name, after their terms were accepted."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from attrformer.data.formats.base import Source, SourceFile
from attrformer.data.formats.registry import SOURCES
from attrformer.data.transfer import Check, Patience, Report, transfer
from attrformer.errors import DownloadError

_BLOCK_BYTES = 1 << 20


def find_source(name: str) -> Source:
    """The data set of a name.

    Raises:
        DownloadError: there is none of that name; lists those there are.
    """
    if name not in SOURCES:
        raise DownloadError(f"There is no data set '{name}' to fetch. Use one of {', '.join(SOURCES)}.")
    return SOURCES[name]


def fetch(
    name: str,
    folder: Path | str,
    *,
    base_url: str | None = None,
    accept_licence: bool = False,
    progress: bool = True,
    patience: Patience | None = None,
) -> Path:
    """Fetch a data set; what is here and sound is not fetched again, what is half here is continued.

    Args:
        name: a key of `SOURCES`.
        folder: where the files go; made if need be.
        base_url: another address that serves the same file names.
        accept_licence: that the user has seen `Source.terms` and agrees.
        progress: whether to draw a progress bar on standard error.
        patience: how long to keep trying.

    Returns:
        The archive, or the folder of the files: what `prepare` and `read_raw` take.

    Raises:
        DownloadError: unknown name, terms not accepted, or a file that cannot be fetched or fails its checksum.
    """
    source = find_source(name)
    if not accept_licence:
        raise DownloadError(
            f"The terms of {name} are not accepted: {source.terms} See {source.terms_url}. Accept first."
        )
    location = source.location(Path(folder).expanduser())
    home = location.parent if len(source.files) == 1 else location
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{home}: the folder cannot be made ({error}). Name another folder.") from error
    base = (base_url or source.base_url).rstrip("/") + "/"
    if not base.startswith(("http://", "https://")):
        raise DownloadError(f"'{base_url}' is no address to fetch from. Use one that starts with http:// or https://.")
    for file in source.files:
        _fetch_file(base, file, home / file.name, progress, patience)
    return location


def _fetch_file(base: str, file: SourceFile, target: Path, progress: bool, patience: Patience | None) -> None:
    """Fetch one file unless a sound one is there."""
    check = _checker(file)
    try:
        if target.is_file() and check(target) is None:
            return
    except OSError as error:
        raise DownloadError(f"{target}: the file cannot be read ({error}). Check its permissions.") from error
    with _bar(file.name, progress) as report:
        transfer(
            base + file.name,
            target,
            check=check,
            checksum_known=file.md5 is not None,
            report=report,
            patience=patience,
        )


def _checker(file: SourceFile) -> Check:
    """What tells a sound file: its checksum where one is published, the one that gzip carries otherwise."""

    def by_md5(path: Path) -> str | None:
        digest = hashlib.md5(usedforsecurity=False)
        with open(path, "rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
        found = digest.hexdigest()
        return None if found == file.md5 else f"the checksum is {found}, not the published {file.md5}"

    def by_gzip(path: Path) -> str | None:
        try:
            with gzip.open(path) as stream:
                while stream.read(_BLOCK_BYTES):
                    pass
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            return f"the file is cut short or no gzip file ({error})"
        return None

    return by_md5 if file.md5 is not None else by_gzip


@contextmanager
def _bar(name: str, shown: bool) -> Iterator[Report]:
    """A progress bar for one file."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
