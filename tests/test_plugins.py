"""One file may register a metric and a format, whichever option or variable names it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from attrformer.data.formats import known_formats
from attrformer.errors import ConfigurationError
from attrformer.evaluation.metrics import known_metrics
from attrformer.plugins import MODELS_VARIABLE, VARIABLE, are_named, load_plugins, loaded_plugins

pytestmark = pytest.mark.usefixtures("known_models")

SOURCE = """
from attrformer.data.formats import RawFormat, register as register_format
from attrformer.evaluation.metrics import Metric, recall, register as register_metric


class Found(Metric):
    name = "Found"

    def per_target(self, ranking, k):
        return recall(ranking.ranks, k)


class Plays(RawFormat):
    name = "plays"

    def read(self, files):
        raise NotImplementedError


register_metric(Found)
register_format(Plays)
"""


def test_one_file_registers_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "both_of_mine.py", tmp_path / "none_of_mine.py"
    first.write_text(SOURCE)
    second.write_text("")
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    assert not are_named()
    monkeypatch.setenv(MODELS_VARIABLE, str(second))
    assert are_named()
    load_plugins([str(first)])
    assert known_metrics()[-1] == "Found" and str(known_formats()[-1]) == "plays"
    assert list(loaded_plugins())[-2:] == ["none_of_mine.py", "both_of_mine.py"]
    assert os.environ[VARIABLE] == os.pathsep.join(map(str, (second, first)))
    script = "from attrformer.plugins import *; load_plugins(); from attrformer.evaluation import metrics; "
    script += "print(metrics.known_metrics()[-1])"
    done = subprocess.run([sys.executable, "-c", script], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "Found\n"


def test_a_refused_registration_is_told_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "taken_of_mine.py"
    file.write_text(SOURCE.replace('"Found"', '"NDCG"'))
    with pytest.raises(ConfigurationError, match=r"^The name 'NDCG' is that of a metric of the library"):
        load_plugins([str(file)])
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("ending", [os.sep, ""])
def test_a_folder_is_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shop_of_mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("from shop_of_mine import metrics")
    (folder / "metrics.py").write_text(SOURCE.replace("Found", "Sold").replace('"plays"', '"sales"'))
    load_plugins([f"shop_of_mine{ending}"])
    assert known_metrics()[-1] == "Sold" and os.environ[VARIABLE] == str(folder)
    before = loaded_plugins()["shop_of_mine"]
    (folder / "metrics.py").write_text("# another version")
    assert loaded_plugins()["shop_of_mine"] != before
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"no file .*empty.__init__\.py"):
        load_plugins([str(tmp_path / "empty")])
