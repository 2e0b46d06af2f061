"""The public API is the one that was written down; whoever changes it on purpose writes it down again."""

from __future__ import annotations

import pytest
from tests.golden import api, store


def test_python_names_and_signatures() -> None:
    api.assert_section("Python", api.python())


def test_commands_and_their_options() -> None:
    api.assert_section("Commands", api.commands())


def test_a_change_is_shown_with_the_command_that_accepts_it() -> None:
    stored = api.parted(store.API.read_text(encoding="utf-8"))["Commands"]
    assert "\nattrformer train\n" in stored
    with pytest.raises(AssertionError) as refused:
        api.assert_section("Commands", stored.replace("\nattrformer train\n", "\nattrformer learn\n"))
    lines = str(refused.value).splitlines()
    assert "-attrformer train" in lines and "+attrformer learn" in lines
    assert lines[-1].endswith("python -m tests.golden.make --api")


def test_a_route_is_told_by_its_fields() -> None:
    field = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/Entry"}]}}
    route = {
        "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer", "default": 20}}],
        "responses": {"200": {"content": {"application/json": {"schema": {"enum": ["a", "b"]}}}}},
    }
    schemas = {"Entry": {"properties": {"ids": field, "k": {"type": "integer", "default": 10}}, "required": ["ids"]}}
    document = {"paths": {"/v1/it": {"get": route}}, "components": {"schemas": schemas}}
    assert api.http(document).splitlines() == [
        "GET /v1/it",
        "  query limit: integer = 20",
        "  200: 'a' | 'b'",
        "schema Entry",
        "  ids: [string | Entry]",
        "  k: integer = 10",
    ]
