"""The application: routes, the page, health, figures, all behind the gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Response, Security
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles

from attrformer.server import answer_schemas, routes
from attrformer.server.auth import Gate
from attrformer.server.errors import add_failures, not_ready, stopping
from attrformer.server.state import Service

PAGE: Final = Path(__file__).parent / "page"
_ABOUT: Final = """Sequential recommendation with attributes as explicit relations, over HTTP.

Every answer is that of the Python call of the same name. Errors are JSON with a `code` for programs and a `message`
for people."""


def create_app(service: Service) -> FastAPI:
    """The application of a service.

    Args:
        service: started by whoever runs the application; until then `/readyz` says no.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="AttrFormer",
        description=_ABOUT,
        version=version("attrformer"),
        lifespan=lifespan,
        # Their pages fetch scripts from elsewhere; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    # The gate looks at the token before anything else; here it is only described.
    described = [] if service.options.token is None else [Security(HTTPBearer(auto_error=False))]
    app.include_router(routes.router, dependencies=described)
    _add_operations(app, service, described)
    add_failures(app)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    app.add_middleware(Gate, options=service.options, metrics=service.metrics, closing=lambda: service.draining)
    return app


def _add_operations(app: FastAPI, service: Service, described: list[Any]) -> None:
    words = {"model": answer_schemas.ErrorAnswer, "description": "No model answers yet."}
    unready: dict[int | str, dict[str, Any]] = {503: words}

    @app.get("/healthz", response_model=answer_schemas.StateAnswer, summary="Whether the process lives")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok", **_worker(service)})

    @app.get("/readyz", response_model=answer_schemas.StateAnswer, responses=unready, summary="Whether a model answers")
    async def readyz() -> JSONResponse:
        if service.engine.served is None:
            raise not_ready()
        if service.draining:
            raise stopping()
        return JSONResponse({"status": "ready", **_worker(service)})

    @app.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus", dependencies=described)
    async def metrics() -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST

        figures = None if service.peers is None else await service.peers.figures()
        return Response(figures or service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _worker(service: Service) -> dict[str, int]:
    """Which process answers, where there are several."""
    return {} if service.peers is None else {"worker": service.peers.number}
