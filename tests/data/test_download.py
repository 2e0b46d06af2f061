"""Fetching, against a real HTTP server on loopback that can be told to misbehave."""

from __future__ import annotations

import gzip
import hashlib
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.data.file_server import Served, handler

from attrformer.data.download import SOURCES, SourceFile, fetch, find_source
from attrformer.data.transfer import Patience
from attrformer.errors import DownloadError

BODY = random.Random(0).randbytes(700_000)
QUICK = Patience(retries=2, backoff=0.001, timeout=60)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server that holds ml-100k with its checksum set to match."""
    monkeypatch.setenv("no_proxy", "*")
    told = Served({"ml-100k.zip": BODY})
    published = SourceFile("ml-100k.zip", hashlib.md5(BODY).hexdigest())
    monkeypatch.setitem(SOURCES, "ml-100k", replace(SOURCES["ml-100k"], files=(published,)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(told))
    told.url = f"http://127.0.0.1:{server.server_port}/data"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def get(served: Served, folder: Path, name: str = "ml-100k", patience: Patience = QUICK) -> Path:
    return fetch(name, folder, base_url=served.url, accept_licence=True, progress=False, patience=patience)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_arrives_whole_and_is_not_fetched_again(served: Served, tmp_path: Path) -> None:
    path = get(served, tmp_path / "new" / "raw")
    assert path == tmp_path / "new" / "raw" / "ml-100k.zip" and path.read_bytes() == BODY
    assert get(served, path.parent) == path
    assert served.asked == [("ml-100k.zip", None, None)]
    assert names(path.parent) == ["ml-100k.zip"]


def test_a_damaged_file_is_fetched_again(served: Served, tmp_path: Path) -> None:
    (tmp_path / "ml-100k.zip").write_bytes(BODY[:-1])
    assert get(served, tmp_path).read_bytes() == BODY
    assert len(served.asked) == 1


def test_a_broken_connection_goes_on_where_it_stopped(served: Served, tmp_path: Path) -> None:
    served.cuts = [200_000, 300_000]
    assert get(served, tmp_path).read_bytes() == BODY
    assert served.asked == [
        ("ml-100k.zip", None, None),
        ("ml-100k.zip", "bytes=200000-", '"one"'),
        ("ml-100k.zip", "bytes=500000-", '"one"'),
    ]
    assert names(tmp_path) == ["ml-100k.zip"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(served: Served, tmp_path: Path) -> None:
    served.cuts = [200_000]
    with pytest.raises(DownloadError, match=r"200000 of 700000 bytes.*goes on where it stopped"):
        get(served, tmp_path, patience=replace(QUICK, retries=0))
    assert names(tmp_path) == ["ml-100k.zip.part", "ml-100k.zip.part.json"]
    assert get(served, tmp_path).read_bytes() == BODY
    assert served.asked[1] == ("ml-100k.zip", "bytes=200000-", '"one"')


@pytest.mark.parametrize(("etag", "expected"), [('W/"weak"', "Mon, 01 Jan 2024 00:00:00 GMT"), (None, None)])
def test_only_a_strong_validator_is_sent(
    served: Served, tmp_path: Path, etag: str | None, expected: str | None
) -> None:
    served.etag, served.modified, served.cuts = etag, expected, [1_000]
    assert get(served, tmp_path).read_bytes() == BODY
    # Without a validator the rest may still be asked for, because the checksum would show a change.
    assert served.asked[1] == ("ml-100k.zip", "bytes=1000-", expected)


def test_a_file_that_changed_meanwhile_starts_anew(served: Served, tmp_path: Path) -> None:
    (tmp_path / "ml-100k.zip.part").write_bytes(b"x" * 1_000)
    note = f'{{"url": "{served.url}/ml-100k.zip", "validator": "\\"zero\\""}}'
    (tmp_path / "ml-100k.zip.part.json").write_text(note)
    assert get(served, tmp_path).read_bytes() == BODY
    assert served.asked == [("ml-100k.zip", "bytes=1000-", '"zero"')]


def test_a_server_without_ranges_starts_anew(served: Served, tmp_path: Path) -> None:
    served.ranges, served.cuts = False, [200_000]
    assert get(served, tmp_path).read_bytes() == BODY
    assert [wanted for _, wanted, _ in served.asked] == [None, "bytes=200000-"]


def test_a_server_that_sends_another_range_is_not_trusted(served: Served, tmp_path: Path) -> None:
    served.wrong_range, served.cuts = True, [200_000]
    assert get(served, tmp_path).read_bytes() == BODY
    assert [wanted for _, wanted, _ in served.asked] == [None, "bytes=200000-", None]


@pytest.mark.parametrize("extra", [0, 7])
def test_a_part_that_is_complete_or_too_long(served: Served, tmp_path: Path, extra: int) -> None:
    (tmp_path / "ml-100k.zip.part").write_bytes(BODY + b"x" * extra)
    assert get(served, tmp_path).read_bytes() == BODY
    assert len(served.asked) == (2 if extra else 1)


def test_a_wrong_beginning_is_found_out_and_fetched_anew(served: Served, tmp_path: Path) -> None:
    (tmp_path / "ml-100k.zip.part").write_bytes(b"x" * 1_000)
    assert get(served, tmp_path).read_bytes() == BODY
    assert [wanted for _, wanted, _ in served.asked] == ["bytes=1000-", None]


def test_a_wrong_checksum_leaves_nothing(served: Served, tmp_path: Path) -> None:
    served.files["ml-100k.zip"] = BODY + b"!"
    with pytest.raises(DownloadError, match=r"the checksum is \w{32}, not the published"):
        get(served, tmp_path)
    assert names(tmp_path) == [] and len(served.asked) == 1


def test_a_body_that_always_ends_early_is_given_up(served: Served, tmp_path: Path) -> None:
    served.ranges, served.cuts = False, [100] * 9
    with pytest.raises(DownloadError, match=r"the connection ended after 100 of 700000 bytes; 3 tries in a row"):
        get(served, tmp_path)
    assert not (tmp_path / "ml-100k.zip").exists()


def test_a_short_body_of_unknown_length_fails_the_check(served: Served, tmp_path: Path) -> None:
    served.sized, served.cuts = False, [100]
    with pytest.raises(DownloadError, match="checksum"):
        get(served, tmp_path)
    assert get(served, tmp_path).read_bytes() == BODY


def test_errors_that_pass_are_waited_out(served: Served, tmp_path: Path) -> None:
    served.statuses = [503, 429]
    assert get(served, tmp_path).read_bytes() == BODY
    assert len(served.asked) == 3
    served.statuses = [500] * 3
    (tmp_path / "ml-100k.zip").unlink()
    with pytest.raises(DownloadError, match="500 Internal Server Error"):
        get(served, tmp_path)


@pytest.mark.parametrize(("status", "fix"), [(404, "name another base address"), (403, "with a browser")])
def test_errors_that_stay_are_told_at_once(served: Served, tmp_path: Path, status: int, fix: str) -> None:
    served.statuses = [status]
    with pytest.raises(DownloadError, match=fix):
        get(served, tmp_path)
    assert len(served.asked) == 1 and names(tmp_path) == []


def test_a_server_that_is_away_is_named(served: Served, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        served.url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(DownloadError, match=r"cannot be reached.*Check the connection"):
            get(served, tmp_path)


def test_a_data_set_of_two_files_gets_a_folder_of_its_own(served: Served, tmp_path: Path) -> None:
    reviews, meta = gzip.compress(b"reviews"), gzip.compress(BODY)
    served.files = {"reviews_Beauty_5.json.gz": reviews, "meta_Beauty.json.gz": meta}
    served.etag, served.cuts = None, [len(reviews), 1_000]
    folder = get(served, tmp_path, "beauty")
    assert folder == tmp_path / "beauty" and names(folder) == ["meta_Beauty.json.gz", "reviews_Beauty_5.json.gz"]
    assert (folder / "meta_Beauty.json.gz").read_bytes() == meta
    # Neither checksum nor validator: nothing could tell a changed file, so the second try starts anew.
    assert [wanted for _, wanted, _ in served.asked] == [None, None, None]
    assert get(served, tmp_path, "beauty") == folder and len(served.asked) == 3


def test_a_damaged_gzip_file_is_refused(served: Served, tmp_path: Path) -> None:
    served.files["reviews_Beauty_5.json.gz"] = b"<html>Please log in</html>"
    with pytest.raises(DownloadError, match="no gzip file"):
        get(served, tmp_path, "beauty")
    assert names(tmp_path / "beauty") == []


def test_an_interrupt_keeps_what_has_arrived(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attrformer.data import download

    transfer = download.transfer

    def interrupted(done: int, total: int | None) -> None:
        if done > 300_000:
            raise KeyboardInterrupt

    monkeypatch.setattr(download, "transfer", lambda *a, **k: transfer(*a, **{**k, "report": interrupted}))
    with pytest.raises(KeyboardInterrupt):
        get(served, tmp_path)
    kept = (tmp_path / "ml-100k.zip.part").read_bytes()
    assert len(kept) > 300_000 and kept == BODY[: len(kept)]


def test_progress_is_drawn_on_standard_error(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch("ml-100k", tmp_path, base_url=served.url, accept_licence=True, patience=QUICK)
    drawn = capsys.readouterr()
    assert "ml-100k.zip" in drawn.err and "700.0/700.0 kB" in drawn.err and drawn.out == ""


def test_terms_come_first(served: Served, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="GroupLens"):
        fetch("ml-100k", tmp_path / "raw", base_url=served.url)
    assert served.asked == [] and not (tmp_path / "raw").exists()


def test_names_addresses_and_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"no data set 'netflix'.*ml-100k, ml-1m, ml-25m, beauty, toys"):
        find_source("netflix")
    with pytest.raises(DownloadError, match=r"'file:///etc' is no address"):
        fetch("ml-1m", tmp_path, base_url="file:///etc", accept_licence=True)
    with pytest.raises(DownloadError, match="is no address"):
        fetch("ml-1m", tmp_path, base_url="http://[::1", accept_licence=True, progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="the folder cannot be made"):
        fetch("ml-1m", tmp_path / "file" / "raw", accept_licence=True)


def test_the_catalogue_says_what_is_published() -> None:
    published = {file.name: file.md5 for source in SOURCES.values() for file in source.files}
    assert published == {
        "ml-100k.zip": "0e33842e24a9c977be4e0107933c0723",
        "ml-1m.zip": "c4d9eecfca2ab87c1945afe126590906",
        "ml-25m.zip": "6b51fb2759a8657d3bfcbfc42b592ada",
        "reviews_Beauty_5.json.gz": None,
        "meta_Beauty.json.gz": None,
        "reviews_Toys_and_Games_5.json.gz": None,
        "meta_Toys_and_Games.json.gz": None,
    }
    assert SOURCES["toys"].base_url == "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
    assert SOURCES["ml-25m"].base_url == "https://files.grouplens.org/datasets/movielens/"
