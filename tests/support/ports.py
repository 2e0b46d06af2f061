"""Ports for servers of other processes that cannot be told to take a free one by themselves."""

from __future__ import annotations

import socket


def reserved_port() -> socket.socket:
    """A socket that holds a port of the loopback address until it is closed.

    The system gives the port to nobody else meanwhile. A server that is told of it can listen on it, since both sides
    allow addresses to be used again, as servers do.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


def number_of(holder: socket.socket) -> int:
    """The port that a socket holds."""
    return int(holder.getsockname()[1])
