"""The public data sets that can be fetched by name, the terms they come under, and the fetching."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from attrformer.dataset.transfer import Check, Patience, Report, transfer
from attrformer.errors import DownloadError

_BLOCK_BYTES = 1 << 20
_GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
_AMAZON = "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"

_GROUPLENS_TERMS = (
    "MovieLens data of the GroupLens research group, University of Minnesota. For research: name the source in "
    "publications, do not suggest that the university endorses you, and ask GroupLens before any commercial use. "
)
_NO_COPIES = _GROUPLENS_TERMS + "Copies may not be passed on without separate permission."
_SAME_TERMS = _GROUPLENS_TERMS + "Copies may be passed on only under these same terms."
_AMAZON_TERMS = (
    "Amazon reviews up to 2014, collected by Julian McAuley's group and made available for research; no formal licence "
    "is stated and the texts belong to their authors. Name the source in publications and do not pass copies on."
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a data set.

    Args:
        name: its name at the source and in the folder.
        md5: its published checksum, or None where none is published.
    """

    name: str
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A data set that can be fetched by name.

    Args:
        name: what the user calls it.
        title: what it is.
        files: what it consists of.
        base_url: the address that file names are appended to.
        terms: the licence in short words, to be shown before anything is fetched.
        terms_url: where the full terms stand.
    """

    name: str
    title: str
    files: tuple[SourceFile, ...]
    base_url: str
    terms: str
    terms_url: str

    def location(self, folder: Path) -> Path:
        """What to give to `prepare`: the one file, or the folder of this data set's own where it has several."""
        return folder / self.files[0].name if len(self.files) == 1 else folder / self.name


def _movielens(name: str, title: str, md5: str, terms: str) -> Source:
    address = f"{_GROUPLENS}{name}-README.txt" if name != "ml-25m" else f"{_GROUPLENS}ml-25m-README.html"
    return Source(name, title, (SourceFile(f"{name}.zip", md5),), _GROUPLENS, terms, address)


def _amazon(name: str, category: str) -> Source:
    files = (SourceFile(f"reviews_{category}_5.json.gz"), SourceFile(f"meta_{category}.json.gz"))
    title = f"Amazon 2014 {category.replace('_', ' ')}, reviews (5-core) and products"
    return Source(name, title, files, _AMAZON, _AMAZON_TERMS, "http://snap.stanford.edu/data/amazon/productGraph/")


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _movielens("ml-100k", "MovieLens 100K", "0e33842e24a9c977be4e0107933c0723", _NO_COPIES),
        _movielens("ml-1m", "MovieLens 1M", "c4d9eecfca2ab87c1945afe126590906", _NO_COPIES),
        _movielens("ml-25m", "MovieLens 25M", "6b51fb2759a8657d3bfcbfc42b592ada", _SAME_TERMS),
        _amazon("beauty", "Beauty"),
        _amazon("toys", "Toys_and_Games"),
    )
}


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
