"""`attrformer serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console
from attrformer.cli.arguments import Run
from attrformer.errors import ConfigurationError
from attrformer.processes import share_free_memory


def serve(
    run: Run,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with a token that requests must bring; the variable ATTRFORMER_TOKEN does the same.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that answer on the port; they share the model's memory.")] = 1,
    threads: Annotated[
        int, typer.Option(help="Threads of the arithmetic of each; 0 leaves the library's choice, or a worker's share.")
    ] = 1,
    device: Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, mps.")] = "auto",
    queue: Annotated[int, typer.Option(help="Requests that may wait; more get 429.")] = 256,
    batch: Annotated[int, typer.Option(help="Users that are answered together.")] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds until a request that waits gets 503.")] = 10.0,
    grace: Annotated[float, typer.Option(help="Seconds that running requests have after SIGTERM.")] = 30.0,
    drain: Annotated[
        float, typer.Option(help="Seconds after SIGTERM in which requests are still taken, and /readyz says no.")
    ] = 0.0,
    poll: Annotated[
        float, typer.Option(help="Seconds between two looks at which version of a folder is current.")
    ] = 2.0,
    body_bytes: Annotated[int, typer.Option(help="Largest body of a request; larger ones get 413.")] = 1 << 20,
    connections: Annotated[int, typer.Option(help="Open connections; idle ones make room for more.")] = 1000,
    header_timeout: Annotated[float, typer.Option(help="Seconds that the head of a request may take.")] = 10.0,
    idle_timeout: Annotated[float, typer.Option(help="Seconds that a connection may wait for a request.")] = 30.0,
    allowed_hosts: Annotated[
        str,
        typer.Option(
            help="Names that requests may call this service by, separated by commas; * for any.", show_default=False
        ),
    ] = "",
    save_added: Annotated[bool, typer.Option("--save-added", help="Keep added and changed items in the run.")] = False,
    most_added: Annotated[int, typer.Option(help="Items that may be added to those of the model.")] = 10_000,
    most_changed: Annotated[
        int, typer.Option(help="Changes of items that requests may bring to those of the model.")
    ] = 1_000_000,
    changes_file: Annotated[
        Path | None,
        typer.Option(
            help="Table of changes of items, or of item_id and values of now such as stock, that is followed: csv or "
            "parquet.",
            show_default=False,
        ),
    ] = None,
    follow_every: Annotated[
        float, typer.Option(help="Seconds between two looks at whether that table has changed.")
    ] = 10.0,
) -> None:
    """Serve a run over HTTP: recommendations, reasons, similar items, new items, and a page to try them on.

    Needs the extra: pip install 'attrformer[serve]'. SIGHUP changes to the model in RUN/next without dropping a
    request; SIGTERM lets running requests end. With --workers, limits hold for each process, and one that dies is
    replaced. In place of RUN, a folder that `attrformer publish` wrote: the service follows its current version.

    Example:  attrformer serve runs/ml-1m --port 8000 --workers 2
    """
    import os

    # Read when the library is first imported. A request's tables are small: more threads would wait for each other.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    if workers > 1:
        share_free_memory()
    from attrformer.server import ServeOptions
    from attrformer.server import serve as run_service

    options = ServeOptions(
        host=host,
        port=port,
        token=_token(token_file),
        workers=workers,
        threads=threads,
        device=device,
        queue=queue,
        batch=batch,
        timeout=timeout,
        grace=grace,
        drain=drain,
        poll=poll,
        body_bytes=body_bytes,
        connections=connections,
        header_timeout=header_timeout,
        idle_timeout=idle_timeout,
        allowed_hosts=tuple(name.strip() for name in allowed_hosts.split(",") if name.strip()),
        save_added=save_added,
        most_added=most_added,
        most_changed=most_changed,
        changes_file=None if changes_file is None else str(changes_file),
        follow_every=follow_every,
    )
    if options.token is None and not options.writable:
        console.say(f"Anybody who reaches {host} can ask this service. Give --token-file to ask for a token.")
    run_service(run, options)


def _token(file: Path | None) -> str | None:
    """The token of a file or of the environment; None for none.

    Raises:
        ConfigurationError: the file cannot be read or is empty.
    """
    import os

    if file is None:
        return os.environ.get("ATTRFORMER_TOKEN") or None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The token file {file} cannot be read ({error}). Give a text file.") from error
    if not token:
        raise ConfigurationError(f"The token file {file} is empty. Write one line with 16 or more characters.")
    return token
