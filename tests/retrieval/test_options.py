"""Options of an index are checked like all others."""

from __future__ import annotations

from typing import Any

import pytest

from attrformer import ConfigurationError, IndexOptions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "exakt"}, "'method' takes one of auto, exact, approximate, not 'exakt'.*Did you mean exact"),
        ({"number": "f8"}, "'number' takes one of f16, bf16, f32, not 'f8'"),
        ({"contents": 5}, "Unknown option 'contents'. Did you mean content"),
        ({"content": "5"}, "'content' takes int, not '5'"),
        ({"content": 0}, "content is 0. Give 1 or more"),
        ({"connectivity": 1}, "connectivity is 1. Give 2 or more"),
        ({"exact_items": -1}, "exact_items is -1. Give 0 or more"),
    ],
)
def test_what_cannot_be_used_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        IndexOptions(**options)


def test_options_survive_their_file() -> None:
    options = IndexOptions(method="approximate", content=64, number="f32")
    assert IndexOptions.from_dict(options.to_dict()) == options
    assert repr(options) == "IndexOptions(method='approximate', content=64, number='f32')"
