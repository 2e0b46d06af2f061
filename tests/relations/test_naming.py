"""Names of relations: no two columns share one, whatever they are called, and torch takes every one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from attrformer.nn.named import NamedModules
from attrformer.relations.naming import KINDS, module_key, name_of_key, relation_name

pytestmark = pytest.mark.slow

BUILT_IN = (
    "cooccurrence_near",
    "cooccurrence_wide",
    "cooccurrence_next",
    "indirect",
    "time_bucket",
    "repeat",
    "similar_users",
    "time_gap",
    "content",
    "popularity",
)

columns = st.lists(
    st.tuples(st.sampled_from(KINDS), st.one_of(st.text("ab._%/\"' 2E", max_size=6), st.text(max_size=8))),
    unique=True,
    max_size=12,
)


@given(columns)
def test_no_two_columns_share_a_name_and_torch_takes_every_one(found: list[tuple[str, str]]) -> None:
    names = [*BUILT_IN, *(relation_name(*column) for column in found)]
    assert len(set(names)) == len(names)
    modules = NamedModules({name: nn.Identity() for name in names})
    assert list(modules) == list(modules.keys()) == names == [name for name, _ in modules.items()]
    assert all(name in modules for name in names)
    parts = [name for name, _ in modules.named_children()]
    assert parts == [module_key(name) for name in names]
    assert not any(sign in part for part in parts for sign in ".\"'\\\n ")
    assert [name_of_key(part) for part in parts] == names


def test_plain_names_are_the_same_for_torch() -> None:
    assert module_key("item_brand-name_2~") == "item_brand-name_2~"
