"""Objects that stay are not looked through, and the collector goes on as it was."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from attrformer.collector import left_alone, spared


class Ring:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    gc.enable()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_within_imports_and_all_of_it_later() -> None:
    with spared():
        assert not gc.isenabled()
        ring = weakref.ref(Ring())
    assert gc.isenabled() and not gc.get_freeze_count()
    gc.collect()
    assert ring() is None


def test_what_is_there_is_left_alone_until_the_end_of_the_block() -> None:
    early = Ring()
    with left_alone():
        assert gc.isenabled() and gc.get_freeze_count()
        earlier, early = weakref.ref(early), Ring()
        gc.collect()
        assert earlier() is not None
        later, early = weakref.ref(early), Ring()
        gc.collect()
        assert later() is None
        frozen = gc.get_freeze_count()
        with spared():
            imported = [Ring() for _ in range(100)]
        # They are left alone as well, as long as the rest.
        assert gc.get_freeze_count() >= frozen + len(imported)
        with left_alone():
            pass
        assert gc.get_freeze_count()
    assert not gc.get_freeze_count()
    gc.collect()
    assert earlier() is None


@pytest.mark.parametrize("block", [spared, left_alone])
def test_a_collector_that_is_off_stays_off_and_what_was_frozen_stays_frozen(
    block: Callable[[], AbstractContextManager[None]],
) -> None:
    gc.freeze()
    with block():
        pass
    assert gc.get_freeze_count() and gc.isenabled()
    gc.unfreeze()
    gc.disable()
    with block():
        assert not gc.isenabled() and not gc.get_freeze_count()
    assert not gc.isenabled()


def test_an_error_leaves_it_as_it_was() -> None:
    with pytest.raises(KeyError), left_alone(), spared():
        raise KeyError
    assert gc.isenabled() and not gc.get_freeze_count()
