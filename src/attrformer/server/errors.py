"""Errors as answers: a status, a word for programs, a sentence for people, never where in the code it happened."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from attrformer.errors import (
    AttrFormerError,
    CheckpointError,
    ConfigurationError,
    DataError,
    NotFittedError,
    UnknownIdError,
)
from attrformer.server.changing import ChangesFull
from attrformer.server.engine import CatalogueFull, ReloadRunning
from attrformer.server.monitoring import log
from attrformer.server.queueing import LineClosed, LineFull

_KINDS: Final[tuple[tuple[type[AttrFormerError], int, str], ...]] = (
    (UnknownIdError, 404, "unknown_id"),
    (DataError, 422, "bad_data"),
    (ConfigurationError, 422, "bad_option"),
    (CheckpointError, 409, "bad_model"),
    (NotFittedError, 503, "not_ready"),
    (AttrFormerError, 422, "bad_request"),
)
_CODES: Final = {404: "not_found", 405: "method_not_allowed", 400: "bad_request", 415: "bad_type"}
_SHOWN: Final = 10


class Refused(Exception):
    """A request that is answered with an error.

    Args:
        status: of the answer.
        code: a word for programs.
        message: a sentence for people.
        headers: of the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def response(self) -> JSONResponse:
        """The answer."""
        return failure(self.status, self.code, self.message, headers=self.headers)


def failure(
    status: int, code: str, message: str, details: Iterable[Any] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """An error as an answer."""
    body = {"error": {"code": code, "message": message, "details": list(details)}}
    return JSONResponse(body, status, headers)


def not_ready() -> Refused:
    """The answer while no model answers yet."""
    return Refused(503, "not_ready", "The model is being read. Ask again in a few seconds.", {"Retry-After": "2"})


def stopping() -> Refused:
    """The answer of a probe once the service was asked to end."""
    return Refused(503, "stopping", "The service is stopping. Ask another one.", {"Retry-After": "1"})


def internal() -> JSONResponse:
    """The answer to whatever was not expected."""
    return failure(500, "internal", "Something went wrong in the service. Its log says where.")


def add_failures(app: FastAPI) -> None:
    """Makes every error that a request can meet an answer in JSON.

    Args:
        app: the application.
    """

    async def expected(_: Request, error: Exception) -> JSONResponse:
        return as_response(error)

    for kind in (
        AttrFormerError,
        Refused,
        LineFull,
        LineClosed,
        TimeoutError,
        ReloadRunning,
        CatalogueFull,
        ChangesFull,
    ):
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(RequestValidationError, expected)
    app.add_exception_handler(HTTPException, expected)


def as_response(error: Exception) -> JSONResponse:
    """The answer to an error.

    Args:
        error: typed ones become what they mean, any other a 500 and a line in the log.
    """
    soon = {"Retry-After": "1"}
    if isinstance(error, Refused):
        return error.response()
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "refused")
        return failure(error.status_code, code, f"{error.detail}.", headers=dict(error.headers or {}))
    if isinstance(error, LineFull):
        later = {"Retry-After": str(error.seconds)}
        return failure(429, "busy", "Too much is waiting. Ask for less, or again in a few seconds.", headers=later)
    if isinstance(error, LineClosed):
        return stopping().response()
    if isinstance(error, TimeoutError):
        return failure(503, "timed_out", "The answer took too long. Ask for less, or again later.", headers=soon)
    if isinstance(error, ReloadRunning):
        return failure(409, "reloading", "A new model is being read. Ask again when it answers.", headers=soon)
    if isinstance(error, CatalogueFull):
        message = (
            f"{error.left:,} more items can be added, of {error.most:,}. Train a model that knows those that were, "
            "or start the service with a larger --most-added."
        )
        return failure(409, "full", message)
    if isinstance(error, ChangesFull):
        message = (
            f"{error.left:,} more changes can be taken up, of {error.most:,}. Put a model in place that has those that "
            "were, without the file of them, or start the service with a larger --most-changed."
        )
        return failure(409, "full", message)
    for kind, status, code in _KINDS:
        if isinstance(error, kind):
            return failure(status, code, str(error))
    log("request.failed", logging.ERROR, error=error)
    return internal()


def _invalid(error: RequestValidationError) -> JSONResponse:
    """Which places of the request are wrong, without repeating what stood there."""
    problems = error.errors()
    details = [{"where": _place(problem["loc"]), "problem": problem["msg"]} for problem in problems[:_SHOWN]]
    shown = "; ".join(f"{entry['where']}: {entry['problem']}" for entry in details[:3])
    return failure(422, "invalid", f"The request does not fit its description ({shown}).", details)


def _place(steps: Iterable[Any]) -> str:
    # A name may hold halves of characters, which no answer can carry.
    return ".".join(str(step)[:80] for step in steps).encode("utf-8", "replace").decode("utf-8")
