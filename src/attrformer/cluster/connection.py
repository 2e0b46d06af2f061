"""A connection to Ray for the time of a block: to a cluster that runs, or to one that is started and ended."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from attrformer.cluster.tasks import SECONDS, Cluster, RayOptions, line_of
from attrformer.errors import ClusterError, ConfigurationError

_ADDRESS: Final = "RAY_ADDRESS"
_LOOPBACK_ONLY: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_TOKENS: Final = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@contextmanager
def connected(options: RayOptions | None = None) -> Iterator[Cluster]:
    """Connects to a cluster, or starts Ray on this machine, for the time of a block.

    A connection that the program has made by `ray.init` is used and left as it is. What the block prints goes to
    standard error.

    Args:
        options: the defaults where None.

    Raises:
        ConfigurationError: Ray is not installed.
        ClusterError: no cluster answers, or Ray fails.
    """
    options = options or RayOptions()
    options = replace(options, address=options.address or os.environ.get(_ADDRESS) or "local")
    alone = options.address == "local"
    require_ray()
    ray = _imported(alone=alone)
    theirs = ray.is_initialized()
    cluster = Cluster(ray, options, fixed=alone and not theirs)
    # Ray writes what happens to nodes to the standard output of the program, whatever is said of logs.
    with redirect_stdout(sys.stderr):
        try:
            if not theirs:
                _start(ray, str(options.address))
            yield cluster
        except ray.exceptions.RayError as error:
            raise ClusterError(f"Ray failed ({line_of(error)}). What is finished stays.") from error
        finally:
            if not theirs:
                with _same_handlers():
                    ray.shutdown()


def require_ray() -> None:
    """Fails before any work is done where Ray is missing.

    Raises:
        ConfigurationError: Ray is not installed.
    """
    if find_spec("ray") is None:
        raise ConfigurationError("The engine ray needs Ray. Install it: pip install 'attrformer[ray]'")


def _imported(*, alone: bool) -> Any:
    if alone and "ray" not in sys.modules:
        # Whoever reaches the ports of Ray can run programs. On Linux, it opens them to other machines unless this says
        # otherwise, which is read when it is imported; `_node_ip_address` changes nothing.
        os.environ.setdefault(_LOOPBACK_ONLY, "0")
        if not any(name in os.environ for name in _TOKENS):
            # The token that Ray would write into the home folder changes clusters that are started there later.
            os.environ |= dict(zip(_TOKENS, ("token", secrets.token_hex(32)), strict=False))
    return import_module("ray")


def _start(ray: Any, address: str) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _require_answer(ray, address)
    alone: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        with _same_handlers():
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **alone)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(
            f"Ray cannot be reached at {address} ({line_of(error)}). Start it (ray start --head), correct --address, "
            "or set RAY_AUTH_MODE=token where the cluster asks for a token."
        ) from error


def _require_answer(ray: Any, address: str) -> None:
    """Fails at once where nothing listens, for which Ray takes minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return
    # Ray does the same with addresses of the loopback interface.
    reached = ray.util.get_node_ip_address() if host in _LOOPBACK else host.strip("[]")
    try:
        socket.create_connection((reached, int(port)), timeout=SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"No Ray cluster answers at {reached}:{port} ({line_of(error)}). Start it (ray start --head), or "
            "correct --address."
        ) from error


@contextmanager
def _same_handlers() -> Iterator[None]:
    """Puts the handlers of signals back that Ray replaces by its own, which end the process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
