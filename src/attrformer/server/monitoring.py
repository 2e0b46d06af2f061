"""What operators see: logs as JSON lines, and figures for Prometheus; no user, item, address or token is in them."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrformer.server.answering import Served
from attrformer.server.engine import Engine

LOGGER: Final = "attrformer.server"
_FIELDS: Final = "fields"


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object.

    Of an exception it gives the type and where it came from, not its message, which may quote what a user sent.

    Args:
        worker: number of the process among several; None where it is alone.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name == LOGGER else "server",
        }
        if record.name != LOGGER:
            line["message"] = record.getMessage()
        line |= self._worker | getattr(record, _FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            frames = traceback.extract_tb(error.__traceback__)
            line["error"] = type(error).__name__
            line["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        return json.dumps(line, ensure_ascii=False, default=str)


def start_logging(worker: int | None = None) -> None:
    """Sends this service's records and those of the server below it to standard error as JSON.

    Args:
        worker: number of the process among several; None where it is alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(worker))
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


_SECONDS: Final = (0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.3, 2.6, 5, 10)
_COUNTS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class _InUse:
    """The gauges of the model in use.

    It is looked up whenever they are read, and all are of the same model, even while another takes its place.
    """

    def __init__(self) -> None:
        self.served: Callable[[], Served | None] = lambda: None

    def collect(self) -> Iterator[Any]:
        """The gauges, as the registry asks for them."""
        from prometheus_client.core import GaugeMetricFamily as Gauge

        served = self.served()
        items, generation = (0, 0) if served is None else (len(served.catalogue), served.generation)
        yield Gauge("attrformer_catalogue_items", "Items that can be recommended.", items)
        yield Gauge("attrformer_model_generation", "1 at the start, one more for each reload.", generation)
        version = Gauge("attrformer_model_info", "1 for the version of the model in use.", labels=["version"])
        if served is not None:
            version.add_metric([served.version], 1)
        yield version
        yield Gauge("attrformer_ready", "1 when a model answers.", float(served is not None))


class Metrics:
    """The figures of one service, in a registry of its own."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        own: Any = {"registry": self.registry}
        self._requests = Counter(
            "attrformer_requests", "Requests by route and status.", ["route", "method", "status"], **own
        )
        self._seconds = Histogram(
            "attrformer_request_seconds",
            "From first byte to last, by route.",
            ["route"],
            buckets=_SECONDS,
            **own,
        )
        self._model_seconds = Histogram(
            "attrformer_model_seconds", "Of one call of the model.", ["call"], buckets=_SECONDS, **own
        )
        self._together = Histogram(
            "attrformer_batch_requests", "Requests that one call answered.", ["call"], buckets=_COUNTS, **own
        )
        self._reloads = Counter("attrformer_reloads", "Changes of the model by outcome.", ["outcome"], **own)
        self._waiting = Gauge("attrformer_waiting_requests", "Requests that wait for the model.", **own)
        self._in_use = _InUse()
        self.registry.register(self._in_use)

    def watch(self, engine: Engine, waiting: Any) -> None:
        """Ties the gauges to the model in use and to the line before it, anything with a length."""
        self._waiting.set_function(lambda: len(waiting))
        self._in_use.served = lambda: engine.served

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts a request that has been answered."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def call(self, method: str, together: int, seconds: float) -> None:
        """Counts a call of the model."""
        self._model_seconds.labels(method).observe(seconds)
        self._together.labels(method).observe(together)

    def reload(self, outcome: str) -> None:
        """Counts a change of the model: "done" or "failed"."""
        self._reloads.labels(outcome).inc()

    def text(self) -> bytes:
        """All figures in the format that Prometheus reads."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
