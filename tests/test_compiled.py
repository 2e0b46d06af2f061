from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models.builders import example_of
from tests.relations.builders import relations_of, shop
from tests.training.builders import FAST, trainer_of

from attrformer import compiled
from attrformer.errors import AttrFormerWarning, ConfigurationError
from attrformer.training.device import compiles


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A numba that is found and cannot be imported, as with a release of NumPy that it does not know."""
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs another NumPy')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "numba"]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    compiled._is_imported.cache_clear()
    yield
    compiled._is_imported.cache_clear()


def test_a_numba_that_cannot_be_imported_is_left_out_and_that_is_said_once(
    damaged: None, recwarn: pytest.WarningsRecorder
) -> None:
    assert not compiled.can_compile() and not compiled.can_compile()
    told = [str(each.message) for each in recwarn if each.category is AttrFormerWarning]
    assert len(told) == 1 and "Numba needs another NumPy" in told[0] and "Update numba" in told[0]


def test_without_numba_nothing_is_compiled_and_what_asks_for_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not compiled.can_compile() and compiles(None)
    with pytest.raises(ConfigurationError, match=r"training\.compiled is true.*pip install 'attrformer\[fast\]'"):
        compiles(True)


def test_threads_that_ask_at_a_time_make_numba_ready_once(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, both = list[int](), threading.Barrier(2)

    def ready() -> None:
        entered.append(1)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.25)

    monkeypatch.setattr(compiled, "_ready", ready)
    compiled._is_imported.cache_clear()
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(lambda _: compiled.can_compile(), range(2)))
    assert len(entered) == 1


@pytest.mark.parametrize("wanted", [None, False])
def test_the_option_reaches_the_loss(wanted: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shop()
    trainer = trainer_of(data, relations_of(data), training=replace(FAST, compiled=wanted))
    assert trainer.objective.compiled == (wanted is None)
    monkeypatch.setattr(compiled, "can_compile", lambda: True)
    monkeypatch.setattr(trainer.network, "loss", lambda example, objective: compiled.may_round())
    assert trainer.loss(example_of(data, relations_of(data))) == (wanted is None)
    assert not compiled.may_round()


KERNEL = "from attrformer.compiled import compiler\n@compiler()\ndef half(x):\n    return x // 2 + {more}\n"
ASKS = "import kernel; print(kernel.half({argument}))"
STOPS = """
import os, sys, time
from pathlib import Path

import kernel

replace, moved = os.replace, []

def stops(old, new):
    if len(moved) == {moves}:
        {then}
    moved.append(new)
    replace(old, new)

os.replace = stops
print(kernel.half({argument}))
"""


def said_of(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    pytest.importorskip("numba")
    (tmp_path / "kernel.py").write_text(KERNEL.format(more=0))
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_code_of_an_earlier_source_is_not_run_wherever_a_process_is_killed(kernel: Path) -> None:
    assert said_of(kernel, ASKS.format(argument=8)).stdout == "4\n"
    for moves, more in ((0, 10), (1, 100)):
        (kernel / "kernel.py").write_text(KERNEL.format(more=more))
        ended = said_of(kernel, STOPS.format(moves=moves, then="os.kill(os.getpid(), 9)", argument=8))
        assert ended.returncode in (-9, 0), ended.stderr
        assert said_of(kernel, ASKS.format(argument=8)).stdout == f"{4 + more}\n"


@pytest.mark.slow
def test_processes_that_compile_at_a_time_keep_the_code_of_each_signature(kernel: Path) -> None:
    # The second has begun to write its code, of another signature, and writes the rest after the first.
    waits = f"""Path({str(kernel / "there")!r}).touch()
        while not Path({str(kernel / "go")!r}).exists():
            time.sleep(0.01)"""
    second = STOPS.format(moves=1, then=waits, argument=8.0)
    begins = f"""global other
        import subprocess
        other = subprocess.Popen([sys.executable, "-c", {second!r}])
        while other.poll() is None and not Path({str(kernel / "there")!r}).exists():
            time.sleep(0.01)"""
    ended = f"Path({str(kernel / 'go')!r}).touch(); raise SystemExit(other.wait())"
    first = said_of(kernel, STOPS.format(moves=0, then=begins, argument=8) + ended)
    assert (first.returncode, sorted(first.stdout.split())) == (0, ["4", "4.0"]), first.stderr
    for argument in (8, 8.0):
        assert said_of(kernel, ASKS.format(argument=argument)).stdout == f"{argument // 2}\n"


@pytest.mark.slow
def test_code_that_is_kept_is_used_and_damaged_code_made_anew(kernel: Path) -> None:
    hits = ASKS.format(argument=8) + "; print(sum(kernel.half.stats.cache_hits.values()))"
    assert [said_of(kernel, hits).stdout for _ in range(2)] == ["4\n0\n", "4\n1\n"]
    (code,) = (kernel / "__pycache__").glob("*.nbc")
    for content in (code.read_bytes()[:-9], b"", b"\0" * 99):
        code.write_bytes(content)
        assert [said_of(kernel, hits).stdout for _ in range(2)] == ["4\n0\n", "4\n1\n"]


@pytest.mark.slow
def test_code_that_holds_what_another_file_said_before_is_not_run(kernel: Path) -> None:
    package = kernel / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "half.py").write_text("from shop.terms import MORE\n" + KERNEL.format(more="MORE"))
    asks = ASKS.replace("import kernel", "from shop import half as kernel").format(argument=8)
    hits = asks + "; print(sum(kernel.half.stats.cache_hits.values()))"
    for more in (1, 10):
        (package / "terms.py").write_text(f"MORE = {more}\n")
        assert [said_of(kernel, hits).stdout for _ in range(2)] == [f"{4 + more}\n0\n", f"{4 + more}\n1\n"]


@pytest.mark.slow
def test_code_of_a_package_in_a_zip_file_is_kept(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(kernel / "cache"))
    with zipfile.ZipFile(kernel / "packed.zip", "w") as packed:
        packed.write(kernel / "kernel.py", "kernel.py")
    hits = ASKS.format(argument=8) + "; print(sum(kernel.half.stats.cache_hits.values()))"
    assert [said_of(kernel / "packed.zip", hits).stdout for _ in range(2)] == ["4\n0\n", "4\n1\n"]


def test_what_is_imported_in_some_processes_only_is_no_part_of_compiled_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from os import path\nimport json\ndef later():\n    import csv\nif json is None:\n    import ast\n"
    (tmp_path / "reads_others.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("reads_others")
    assert compiled._read("reads_others") == (text, ["os", "os.path", "json"])
