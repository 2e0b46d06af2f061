"""Several processes that answer on one port, and the process that makes, replaces and ends them.

This process opens the port, imports what the workers need, and forks them; it never reads a model and answers no
request. A fork shares with it what has been imported, which is most of a small service's memory, and each worker maps
the file of the model, of which the system keeps one copy. All accept from the one socket that they inherit, so that a
worker that dies takes only its own connections with it: those that wait to be accepted are accepted by the others, and
whoever is idle takes the next. (With SO_REUSEPORT each would have a queue of its own, which would be lost with it.)

One change at a time: while a worker is being made no models are moved, and only the first worker to change moves them.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Final

from attrformer.errors import ConfigurationError
from attrformer.processes import require_unused_process
from attrformer.server import model_store
from attrformer.server.monitoring import log
from attrformer.server.options import ServeOptions
from attrformer.server.supervising import Supervisor
from attrformer.server.worker import SharedListener

_SHARED: Final = (
    *("attrformer.server.app", "attrformer.server.connections", "attrformer.server.draining"),
    *("prometheus_client", "torch", "uvicorn"),
)
"""What is imported before the workers are forked, so that they share it."""


def serve_by_workers(run: Path, options: ServeOptions, listener: socket.socket) -> None:
    """Serves a run by several processes until SIGTERM or SIGINT; SIGHUP changes the model of all.

    Args:
        run: the run folder.
        options: of the service.
        listener: the open port.

    Raises:
        ConfigurationError: this system, or this number of threads, cannot be used.
        ForkedProcessError: this process has used tables or models, and what it forked would hang.
        WorkerError: workers die again and again.
        AttrFormerError: the model cannot be served, as with one process.
    """
    shared = SharedListener(listener.family, listener.type, listener.proto, listener.detach())
    folder = Path(tempfile.mkdtemp(prefix="attrformer-added-"))
    try:
        threads = threads_of_each(options)
        require_unused_process()
        model_store.recover(run)
        for module in _SHARED:
            importlib.import_module(module)
        service = Supervisor(run, options, shared, run if options.save_added else folder, threads)
        # What is there now is never looked through by a collection of garbage, which would write to it and so copy it.
        gc.collect()
        gc.freeze()
        asyncio.run(service.run())
    finally:
        shared.close()
        shutil.rmtree(folder, ignore_errors=True)
    if service.failure is not None:
        raise service.failure


def threads_of_each(options: ServeOptions) -> int:
    """Threads of the arithmetic of each worker.

    Args:
        options: of the service.

    Raises:
        ConfigurationError: the system cannot fork, or all threads together are more than there are cores.
    """
    if not hasattr(os, "fork"):
        raise ConfigurationError("workers needs a system that can fork, which this one cannot. Leave --workers out.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if options.threads > 1 and options.workers * options.threads > cores:
        raise ConfigurationError(
            f"{options.workers} workers with {options.threads} threads each need {options.workers * options.threads} "
            f"cores, and this process may use {cores}. Give --threads {max(1, cores // options.workers)} or less, or "
            "fewer --workers."
        )
    if options.workers > cores:
        log("more.workers.than.cores", logging.WARNING, workers=options.workers, cores=cores)
    return options.threads or max(1, cores // options.workers)
