"""Compiled passes over items and their attribute values beside the plain operations."""

from __future__ import annotations

import pytest
import torch
from tests.models.builders import network_of
from tests.nn.both_ways import both_ways
from tests.relations.builders import relations_of, shop

from attrformer.nn import item_table
from attrformer.nn.relations import item_attribute

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_table, "MANY_ITEMS", 1)
    monkeypatch.setattr(item_attribute, "MANY_FEATURES", 1)


@pytest.mark.parametrize("started", [True, False], ids=["as it starts", "trained"])
@pytest.mark.parametrize("name", ["item_brand", "item_tags"])
def test_projection_equals_plain(name: str, started: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    module = network_of(relations_of(shop())).module(name)
    assert isinstance(module, item_attribute.ItemAttributeModule)
    assert module.left is not None and module.right is not None
    torch.manual_seed(3)
    if not started:
        torch.nn.init.normal_(module.left)
    called, projected = [], item_attribute.projected
    monkeypatch.setattr(item_attribute, "projected", lambda *given: called.append(1) or projected(*given))
    # Padding as well.
    items = torch.randint(0, module.padding + 1, (5, 7))
    plain, compiled = both_ways([module.left, module.right, module.log_diagonal], lambda: module.project(items))
    assert called == [1]
    if not started:
        assert bool((plain[0] == 0).any()) and bool((plain[0] > 0).any())
    for own, other in zip(plain, compiled, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-6)


def test_item_table_equals_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(relations_of(shop()))
    table, called, described = network.table, [], item_table.described
    monkeypatch.setattr(item_table, "described", lambda *given: called.append(1) or described(*given))
    with torch.no_grad():
        table.item[3] = 0
    plain, compiled = both_ways(list(table.parameters()), table)
    assert called == [1]
    for own, other in zip(plain, compiled, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-6)
