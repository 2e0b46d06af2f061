"""The service keeps to the description of itself that it gives, whatever is made of that description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.support.services import listening

from attrformer.server.options import ServeOptions
from attrformer.server.state import Service

PATIENT = ServeOptions(timeout=60)


def only_bodies_that_are_too_large_are_called_so(_: Any, response: Any, __: Any) -> None:
    assert (response.status_code == 413) == (len(response.request.body or b"") > PATIENT.body_bytes)


CHECKS = [
    only_bodies_that_are_too_large_are_called_so,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
# Now and then a body is made that has more than a million bytes.
REFUSALS = {"expected-statuses": [400, 403, 404, 413, 422]}


@pytest.fixture(scope="module")
def described(fitted_run: Path) -> Iterator[Any]:
    service = Service(fitted_run, PATIENT)
    service.engine.start()
    config = SchemathesisConfig.from_dict({"checks": {"negative_data_rejection": REFUSALS}})
    with listening(service) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json", config=config)


ROUTES = [
    ("POST", "/v1/recommend"),
    ("POST", "/v1/explain"),
    ("POST", "/v1/similar"),
    ("POST", "/v1/items"),
    ("POST", "/v1/changes"),
    ("POST", "/v1/reload"),
    ("GET", "/v1/catalogue"),
    ("GET", "/v1/history"),
    ("GET", "/v1/model"),
    ("GET", "/v1/pairs"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
]


@pytest.mark.slow
def test_every_route_is_described(described: Any) -> None:
    assert {(found.ok().method.upper(), found.ok().path) for found in described.get_all_operations()} == set(ROUTES)
    text = json.dumps(described.raw_schema)
    assert all(f'"{words}"' in text for words in ("item-0003", "user-0001", "trail"))


# Where nothing is given, nothing can be wrong.
GIVEN_NOTHING = ("/v1/reload", "/v1/model", "/healthz", "/readyz", "/metrics")
FIT = [(GenerationMode.POSITIVE, *route) for route in ROUTES]
UNFIT = [(GenerationMode.NEGATIVE, *route) for route in ROUTES if route[1] not in GIVEN_NOTHING]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "method", "path"), [*FIT, *UNFIT])
def test_every_route_keeps_to_its_description(described: Any, kind: GenerationMode, method: str, path: str) -> None:
    strategy = described[path][method].as_strategy(generation_mode=kind)

    @settings(max_examples=6, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def check(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    check()
