"""Logs as JSON, one object a line on standard error, without ids, histories, addresses or tokens."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any, Final

LOGGER: Final = "attrformer.server"
_FIELDS: Final = "fields"


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object.

    Of an exception it gives the type and where it came from, not its message, which may quote what a user sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name == LOGGER else "server",
        }
        if record.name != LOGGER:
            line["message"] = record.getMessage()
        line |= getattr(record, _FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            frames = traceback.extract_tb(error.__traceback__)
            line["error"] = type(error).__name__
            line["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        return json.dumps(line, ensure_ascii=False, default=str)


def start_logging() -> None:
    """Sends this service's records and those of the server below it to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (LOGGER, "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    # It writes addresses and query strings; this service's own line about each request does not.
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False


def log(event: str, level: int = logging.INFO, *, error: BaseException | None = None, **fields: Any) -> None:
    """Writes one line.

    Args:
        event: what happened, in one word or two joined by a dot.
        level: of the record.
        error: an exception that was not expected.
        fields: figures and names that say no more than that; nothing that a request brought.
    """
    logging.getLogger(LOGGER).log(level, event, extra={_FIELDS: fields}, exc_info=error)
