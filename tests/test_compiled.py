from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
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


@pytest.mark.parametrize("wanted", [None, False])
def test_the_option_reaches_the_loss(wanted: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shop()
    trainer = trainer_of(data, relations_of(data), training=replace(FAST, compiled=wanted))
    assert trainer.objective.compiled == (wanted is None)
    monkeypatch.setattr(compiled, "can_compile", lambda: True)
    monkeypatch.setattr(trainer.network, "loss", lambda example, objective: compiled.may_round())
    assert trainer.loss(example_of(data, relations_of(data))) == (wanted is None)
    assert not compiled.may_round()
