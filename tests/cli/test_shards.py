"""`recommend --shard` and `join` at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.commands import call
from tests.cli.tiny import refused

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_shards_and_their_file(run: Path, tmp_path: Path, ending: str) -> None:
    whole, out = tmp_path / f"whole.{ending}", tmp_path / f"a.{ending}"
    words = ("recommend", run, "--users", "all", "-k", 3, "--save-every", 2, "--threads", 1, "--quiet", "--out")
    rows = call(*words, whole).stderr
    for number in (2, 1):
        result = call(*words, out, "--shard", f"{number}/2")
        assert result.exit_code == 0, result.stderr
        assert result.stdout == f"{tmp_path / f'a.{ending}.shards' / f'{number}-of-2'}\n"
        assert f"Once all 2 shards are there: attrformer join {out}" in result.stderr
    joined = call("join", out)
    assert (joined.exit_code, joined.stdout, joined.stderr) == (0, f"{out}\n", rows)
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, whole.name]
    assert "There is no shard" in refused(call("join", out))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--out", "a.parquet", "--shard", "0/2"), "where a scheduler counts from 0, add 1"),
        (("--out", "a.parquet", "--shard", "2"), "Write it as i/n"),
        (("--out", "a.parquet", "--shard", "1/2"), "Give 1 or fewer"),
        (("--out", "a.json", "--shard", "1/2"), "--shard writes pieces of a file"),
        (("--shard", "1/2"), "--shard writes pieces of a file"),
    ],
)
def test_shards_that_are_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refused(call("recommend", run.resolve(), "--quiet", *more))
    assert list(tmp_path.iterdir()) == []
