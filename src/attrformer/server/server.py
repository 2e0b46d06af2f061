"""The process: a socket, the event loop, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrformer.errors import AttrFormerError, CheckpointError, ConfigurationError
from attrformer.server.options import RESERVED, ServeOptions
from attrformer.server.running import BACKLOG, server_config

if TYPE_CHECKING:
    from attrformer.server.state import Service

OTHER_FILES: Final = 64
"""Files that a process has open besides connections."""

_NEEDED: Final = ("fastapi", "uvicorn", "prometheus_client")


def serve(run: Path | str, options: ServeOptions | None = None) -> None:
    """Serves the model of a run until SIGTERM or SIGINT; SIGHUP changes to a new one.

    Of a folder of versions (`attrformer publish`) it answers with the current one, and follows it.

    The port is open from the start, so that probes get an answer; `/readyz` turns to 200 when a model has been read and
    tried. On SIGTERM no new connection is taken, once `drain` seconds have passed, and running requests have `grace`
    seconds to end.

    Args:
        run: the folder of a run, or of versions.
        options: of the service; the defaults where None.

    Raises:
        ConfigurationError: the extra is not installed, the address cannot be used, or items are to be saved in a folder
            of versions.
        CheckpointError: the run holds no model that can be read.
    """
    require_extra()
    run, options = Path(run), options or ServeOptions()
    _require_model(run, options)
    from attrformer.server.app import create_app
    from attrformer.server.monitoring import start_logging
    from attrformer.server.state import Service

    start_logging()
    if options.workers > 1:
        from attrformer.server.workers import serve_by_workers

        serve_by_workers(run, options, _listen(options))
        return
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    listener = _listen(options)
    service = Service(run, options)
    # The server below handles signals only while it runs. It raises the one that ended it once more when it is done; by
    # then there is nothing left to end.
    early: list[int] = []
    before = {n: signal.signal(n, lambda number, _: early.append(number)) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        asyncio.run(_run(create_app(service), service, listener, options, early))
    finally:
        listener.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    if isinstance(service.failure, AttrFormerError):
        raise service.failure
    if service.failure is not None:
        raise CheckpointError(f"The model of {run} cannot be served. The log says why.") from service.failure


async def _run(
    app: Any, service: Service, listener: socket.socket, options: ServeOptions, early: Sequence[int]
) -> None:
    from attrformer.server.draining import DrainingServer
    from attrformer.server.monitoring import log

    server = DrainingServer(server_config(app, options), service)
    if hasattr(signal, "SIGHUP"):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.reload_soon)
    host, port = listener.getsockname()[:2]
    log("listening", host=host, port=port, process=os.getpid())

    async def start() -> None:
        # By now signals go to the server.
        if not early:
            await service.start()
        if early or service.failure is not None:
            server.should_exit = True

    reading = asyncio.ensure_future(start())
    await server.serve(sockets=[listener])
    await reading
    log("stopped")


def require_files(connections: int) -> None:
    """Sees to it that the process may have so many connections open, beside its other files.

    Args:
        connections: that the service takes.

    Raises:
        ConfigurationError: the system does not let it.
    """
    try:
        import resource
    except ImportError:
        return
    needed = connections + RESERVED + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError) as error:
        fit = max(1, hard - RESERVED - OTHER_FILES)
        raise ConfigurationError(
            f"{connections:,} connections need {needed:,} open files, and this process may have {hard:,}. "
            f"Give --connections {fit} or less, or raise the limit (ulimit -n, LimitNOFILE)."
        ) from error


def _require_model(run: Path, options: ServeOptions) -> None:
    from attrformer.server.model_store import MODEL, PREVIOUS
    from attrformer.server.versions import is_versioned

    if not run.is_dir():
        raise CheckpointError(f"{run} is not a folder. Give the folder that `attrformer train --out` wrote.")
    if is_versioned(run):
        if options.save_added:
            raise ConfigurationError(
                f"{run} is a folder of versions, which is only read. Leave --save-added out, and publish a model that "
                "has the new items."
            )
        return
    if not ((run / MODEL).exists() or (run / PREVIOUS).exists()):
        raise CheckpointError(f"{run} holds no finished model. Finish it: attrformer train ... --out {run} --resume")


def _listen(options: ServeOptions) -> socket.socket:
    require_files(options.connections)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        listener = socket.create_server((options.host, options.port), family=family, backlog=BACKLOG)
        # Connections inherit it. The event loop sets it only where a socket names its protocol, which this one
        # does not; without it the body of an answer waits 40 ms for an acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ConfigurationError(
            f"{options.host}:{options.port} cannot be listened on ({error.strerror or error}). "
            "Give another --port, or 0 for a free one."
        ) from error


def require_extra() -> None:
    """Says what to install before anything fails to be imported.

    Raises:
        ConfigurationError: a package is missing; the message gives the command.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"Serving needs {', '.join(missing)}, which is not installed. Run: pip install 'attrformer[serve]'"
        )
