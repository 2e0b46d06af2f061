from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.errors import ShortListWarning
from attrformer.recommender import short_lists
from attrformer.recommender.short_lists import ShortLists

NAMES = pl.Series([f"u{number}" for number in range(40)])


def told(short: ShortLists) -> tuple[str, tuple[str, ...]]:
    with pytest.warns(ShortListWarning) as warned:
        short.warn()
    found = warned[0].message
    assert isinstance(found, ShortListWarning)
    return str(found), tuple(note.user for note in short.notes)


def of(places: list[int], names: pl.Series = NAMES) -> ShortLists:
    short = ShortLists(names)
    for place in places:
        short.add(place, 1, 5, 9, {"exclude": 2})
    return short


@given(st.permutations(range(40)), st.integers(0, 40))
def test_what_is_told_depends_on_no_order(places: list[int], cut: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(short_lists, "MOST_NOTES", 7)
        whole, joined = of(list(range(40))), ShortLists(NAMES)
        # As pieces of a request come from a cluster: whichever is ready.
        for piece in (places[:cut], places[cut:]):
            joined.take(of(piece))
        assert told(joined) == told(of(places)) == told(whole)
        assert told(whole)[1] == ("u0", "u1", "u2", "u3", "u4", "u5", "u6")
        assert "User 'u0' gets 1 of 5 items" in told(whole)[0] and "37 more lists are short." in told(whole)[0]
