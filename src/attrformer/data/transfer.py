"""One file over HTTP: resumed where it stopped, tried again where that helps, checked before it gets its name."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from attrformer.errors import DownloadError
from attrformer.io import read_json

Check = Callable[[Path], "str | None"]
Report = Callable[[int, "int | None"], None]

_BLOCK_BYTES = 1 << 17
_LONGEST_WAIT = 60.0
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a transfer keeps trying.

    Args:
        retries: tries in a row that may bring nothing before the transfer is given up.
        backoff: seconds before the first new try; doubled each time.
        timeout: seconds without any byte after which a connection counts as lost.
    """

    retries: int = 4
    backoff: float = 1.0
    timeout: float = 30.0


class _Transient(Exception):
    """A failure that may not happen again; `wait` is what the server asked for, in seconds."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        super().__init__(problem)
        self.wait = wait


@dataclass(slots=True)
class _Partial:
    """The part of a file that is here already, and how the server will know that it is still the same file."""

    path: Path
    url: str
    trusted: bool
    resumed: bool = False

    @property
    def note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def state(self) -> tuple[int, str | None]:
        """Bytes that can be kept, and the validator to send with the request for the rest."""
        try:
            note = read_json(self.note)
            validator = note["validator"] if note["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            validator = None
        # Without a validator a changed file would be glued to the old beginning; only a checksum would notice.
        size = self.size() if validator or self.trusted else 0
        return size, validator if isinstance(validator, str) else None

    def remember(self, headers: Message) -> None:
        tag = headers.get("ETag")
        validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
        self.note.write_text(json.dumps({"url": self.url, "validator": validator}), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def transfer(
    url: str, target: Path, *, check: Check, checksum_known: bool, report: Report, patience: Patience | None = None
) -> None:
    """Fetch one file; `target` appears complete and checked, or not at all.

    An interrupted transfer leaves `target` + `.part`, from which the next call goes on.

    Args:
        url: http or https address.
        target: where the file goes.
        check: says what is wrong with a complete file, or None.
        checksum_known: whether `check` would notice a file made of two versions.
        report: called with the bytes here and the bytes in all (None where unknown).
        patience: how long to keep trying.

    Raises:
        DownloadError: the file is not there, the server stays away, the disk refuses, or the check fails.
    """
    patience = patience or Patience()
    partial = _Partial(target.with_name(target.name + ".part"), url, checksum_known)
    try:
        _fetch_all(partial, report, patience)
        problem = check(partial.path)
        if problem and partial.resumed:
            # The beginning may stem from another version or a damaged disk; one clean try settles it.
            partial.discard()
            _fetch_all(partial, report, patience)
            problem = check(partial.path)
        if problem:
            partial.discard()
            raise DownloadError(f"{url}: {problem}. Try again later, or name another source of the same file.")
        os.replace(partial.path, target)
        partial.discard()
    except OSError as error:
        raise DownloadError(
            f"{target}: the file cannot be written ({error}). Check the permissions and the free space of the folder."
        ) from error


def _fetch_all(partial: _Partial, report: Report, patience: Patience) -> None:
    """Try until the whole body is here; tries that bring new bytes do not count as failures."""
    failures = 0
    while True:
        before = partial.size()
        try:
            _attempt(partial, report, patience.timeout)
            return
        except _Transient as error:
            failures = 1 if partial.size() > before else failures + 1
            if failures > patience.retries:
                raise DownloadError(
                    f"{partial.url}: {error}; {failures} tries in a row brought nothing. "
                    "Check the connection and run the same command again: it goes on where it stopped."
                ) from error
            wait = error.wait if error.wait is not None else patience.backoff * 2 ** (failures - 1)
            time.sleep(min(wait, _LONGEST_WAIT))


def _attempt(partial: _Partial, report: Report, timeout: float) -> None:
    """One request, from where the part ends."""
    offset, validator = partial.state()
    headers = {"User-Agent": "attrformer", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    try:
        request = urllib.request.Request(partial.url, headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as response:
            _receive(response, partial, offset, report)
    except urllib.error.HTTPError as error:
        _refused(error, partial, offset)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            problem = f"{partial.url}: the server's certificate is not valid ({error.reason.verify_message})"
            raise DownloadError(f"{problem}. Check the clock and the certificates of this machine.") from error
        raise _Transient(f"the server cannot be reached ({error.reason})") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _broken(error) from error
    except ValueError as error:
        raise DownloadError(f"{partial.url}: this is no address ({error}). Use http:// or https://.") from error


def _receive(response: http.client.HTTPResponse, partial: _Partial, offset: int, report: Report) -> None:
    """Append the body to the part, or start it anew where the server sends the whole file."""
    if response.status == 206:
        matched = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if matched is None or int(matched[1]) != offset:
            partial.discard()
            raise _Transient("the server sent another part than the one asked for")
    else:
        offset = 0
    length = response.headers.get("Content-Length", "")
    total = offset + int(length) if length.isdigit() else None
    partial.resumed = offset > 0
    if not offset:
        partial.remember(response.headers)
    done = offset
    with open(partial.path, "ab" if offset else "wb") as file:
        report(done, total)
        for block in _blocks(response):
            file.write(block)
            done += len(block)
            report(done, total)
    if total is not None and done < total:
        raise _Transient(f"the connection ended after {done} of {total} bytes")


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body in pieces; what fails here is the connection, never the disk."""
    try:
        while block := response.read(_BLOCK_BYTES):
            yield block
    except (http.client.HTTPException, OSError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> _Transient:
    return _Transient(f"the connection broke ({str(error) or type(error).__name__})")


def _refused(error: urllib.error.HTTPError, partial: _Partial, offset: int) -> None:
    """Return where the refusal means that everything is here already; raise what the status means otherwise."""
    with error:
        if error.code == 416 and offset:
            if error.headers.get("Content-Range", "").rpartition("/")[2] == str(offset):
                partial.resumed = True
                return
            partial.discard()
            raise _Transient("the part that is here does not fit the file of the server") from error
        said = f"the server answered {error.code} {error.reason}"
        if error.code in _TRANSIENT_STATUS:
            after = error.headers.get("Retry-After", "")
            raise _Transient(said, float(after) if after.isdigit() else None) from error
        moved = error.code in (404, 410)
        fix = "Check the name, or name another base address" if moved else "Try again later, or fetch it with a browser"
        raise DownloadError(f"{partial.url}: {said}. {fix}.") from error
