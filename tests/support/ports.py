"""Ports for servers of other processes that cannot be told to take a free one by themselves."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of the loopback address that the system gives to nobody else until the end of the block.

    A server that is told of it can listen on it, since both sides allow an address to be used again. Elsewhere than on
    Linux it is a port that was free just now.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port = int(holder.getsockname()[1])
        if sys.platform != "linux":
            holder.close()
        yield port
