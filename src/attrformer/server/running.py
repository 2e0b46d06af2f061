"""How the server below runs the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrformer.server.options import ServeOptions

if TYPE_CHECKING:
    import uvicorn

BACKLOG: Final = 2048
"""Connections that may wait to be taken."""


def server_config(app: Any, options: ServeOptions, backlog: int = BACKLOG) -> uvicorn.Config:
    """How the server below is to run an application.

    Args:
        app: the application.
        options: of the service.
        backlog: connections that may wait, and that are taken at a time.
    """
    import uvicorn

    from attrformer.server.connections import HEAD_BYTES, protocol_of

    return uvicorn.Config(
        app,
        # Bounds of connections and times are kept there.
        http=protocol_of(options),  # type: ignore[arg-type]
        h11_max_incomplete_event_size=HEAD_BYTES,
        log_config=None,
        access_log=False,
        # Nobody asks where a request came from.
        proxy_headers=False,
        timeout_keep_alive=options.idle_timeout,  # type: ignore[arg-type]
        timeout_graceful_shutdown=max(1, round(options.grace)),
        server_header=False,
        ws="none",
        backlog=backlog,
    )
