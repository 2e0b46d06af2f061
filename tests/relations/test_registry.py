"""Kinds of relations: stored and read alike, and asked for nowhere outside of their own packages."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.relations.builders import relations_of, shop, with_events
from tests.relations.changing import changing_shop
from tests.relations.plain_text import text_attribute
from tests.relations.test_build import arrays
from tests.relations.test_location import places
from tests.support.vector_shop import vector_attribute

import attrformer
from attrformer.errors import ConfigurationError
from attrformer.nn.relations.registry import MODULES
from attrformer.relations.registry import BUILT_IN, kind_of
from attrformer.relations.relation_set import RelationSet

SOURCE = Path(attrformer.__file__).parent
ROOMS = (SOURCE / "relations", SOURCE / "nn" / "relations")
KINDS = {kind.__name__ for kind in BUILT_IN} | {kind.__name__ for kind in MODULES}
KINDS |= {module.__name__ for module in MODULES.values()}


def asked_kinds(path: Path) -> set[str]:
    """Names of kinds of relations that a file asks for by `isinstance` or `issubclass`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            found |= {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
    return found & KINDS


def test_nothing_outside_asks_which_kind_a_relation_is() -> None:
    files = [path for path in SOURCE.rglob("*.py") if not any(room in path.parents for room in ROOMS)]
    assert {path.name: kinds for path in files if (kinds := asked_kinds(path))} == {}
    assert "RowRelation" in asked_kinds(SOURCE / "relations" / "relation_set.py")


def test_kinds_have_names_of_their_own() -> None:
    names = [kind.kind for kind in BUILT_IN]
    assert len(set(names)) == len(names) and all(kind_of(name).kind == name for name in names)
    with pytest.raises(ConfigurationError, match="no relation of the kind 'absent'"):
        kind_of("absent")


def test_every_kind_is_read_as_it_was_stored() -> None:
    data = with_events(changing_shop())
    more = {
        "picture": vector_attribute(np.random.default_rng(0).normal(size=(30, 4))),
        "title": text_attribute(*(f"Series {item % 7} part {item}" for item in range(30)), name="title"),
        "place": places(*((float(item), 2.0 * item) for item in range(30))),
    }
    data = replace(data, item_attributes={**data.item_attributes, **more})
    relations = relations_of(data, id_order=True, behaviour_rows=("event",)).for_inference()
    # Newness joins a model after training; its own tests save and read it.
    apart = {kind_of("id_order"), kind_of("newness")}
    assert {type(relation) for relation in relations.values()} >= set(BUILT_IN) - apart
    for name, relation in relations.items():
        again = kind_of(relation.kind).from_arrays(name, *relation.to_arrays())
        left, right = arrays(relation), arrays(again)
        assert again.name == name and left.keys() == right.keys()
        for part, value in left.items():
            np.testing.assert_array_equal(value, right[part], err_msg=f"{name} {part}")
        again.check(relations.n_items, 40)


def test_two_relations_of_one_name_are_refused() -> None:
    relations = relations_of(shop())
    near = relations["cooccurrence_near"]
    with pytest.raises(ValueError, match="two relations have the name 'cooccurrence_near'"):
        RelationSet(30, 0, np.empty(0, np.int64), relations.popularity, (near, near))
