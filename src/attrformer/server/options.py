"""What can be set about a service, and which sites it answers as."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from attrformer.config import Options
from attrformer.errors import ConfigurationError, require

MOST_ASKED: Final = 256
"""Users, histories or items that one request may ask about."""

MOST_HISTORY: Final = 2000
"""Items of one history."""

MOST_CHOSEN: Final = 10_000
"""Candidates, excluded items or items to explain of one request."""

MOST_K: Final = 1000
"""Items in one answer."""

MOST_EXPLAINED: Final = 20_000
"""Scores that one request may have taken apart."""

MOST_RULES: Final = 100
"""Boosts, limits or pinned items of one request."""

MOST_WORDS: Final = 2000
"""Characters of one condition."""

MOST_DIVERSE: Final = 200
"""Items in one answer that is to be diverse: each is compared with all that may follow."""

MOST_ADDED: Final = 1000
"""Items that one request may add."""

MOST_CHANGED: Final = 10_000
"""Changes of items that one request may bring."""

MOST_CHARACTERS: Final = 10_000
"""Characters of a text that describes an item."""

MOST_NUMBERS: Final = 8192
"""Numbers of one vector."""

MOST_TAGS: Final = 1000
"""Tags with scores of one attribute."""

LOCAL: Final = ("127.0.0.1", "::1", "localhost")

RESERVED: Final = 64
"""Connections beyond the bound, for probes and for being told to come back later."""

_HOST: Final = re.compile(r"(?:\[([0-9a-fA-F:.%]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{0,5})?")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ANY: Final = "*"


@dataclass(frozen=True)
class ServeOptions(Options):
    """Where a service listens and what it takes on.

    Args:
        token: what requests must bring as `Authorization: Bearer ...`; None asks for nothing. It is not shown, and
            `to_dict` and `to_yaml` hold it as it is.

    Raises:
        ConfigurationError: a value cannot be used.
    """

    host: str = field(default="127.0.0.1", metadata={"help": "Address to listen on."})
    port: int = field(default=8000, metadata={"help": "Port to listen on; 0 takes a free one."})
    token: str | None = field(default=None, metadata={"help": "Token that requests must bring."}, repr=False)
    threads: int = field(
        default=1,
        metadata={"help": "Threads of the arithmetic of each; 0 leaves the library's choice, or a worker's share."},
    )
    device: str = field(default="auto", metadata={"help": "Where to compute: auto, cpu, cuda, mps."})
    queue: int = field(default=256, metadata={"help": "Requests that may wait; more get 429."})
    batch: int = field(default=64, metadata={"help": "Users that are answered together."})
    timeout: float = field(default=10.0, metadata={"help": "Seconds until a request that waits gets 503."})
    grace: float = field(default=30.0, metadata={"help": "Seconds that running requests have after SIGTERM."})
    drain: float = field(
        default=0.0, metadata={"help": "Seconds after SIGTERM in which requests are still taken, and /readyz says no."}
    )
    poll: float = field(
        default=2.0,
        metadata={"help": "Seconds between two looks at which version of a folder is current."},
    )
    body_bytes: int = field(default=1 << 20, metadata={"help": "Largest body of a request; larger ones get 413."})
    connections: int = field(default=1000, metadata={"help": "Open connections; idle ones make room for more."})
    header_timeout: float = field(default=10.0, metadata={"help": "Seconds that the head of a request may take."})
    idle_timeout: float = field(default=30.0, metadata={"help": "Seconds that a connection may wait for a request."})
    allowed_hosts: tuple[str, ...] = field(
        default=(), metadata={"help": "Names that requests may call this service by; * for any."}
    )
    save_added: bool = field(default=False, metadata={"help": "Keep added and changed items in the run."})
    most_added: int = field(default=10_000, metadata={"help": "Items that may be added to those of the model."})
    most_changed: int = field(
        default=1_000_000, metadata={"help": "Changes of items that requests may bring to those of the model."}
    )
    changes_file: str | None = field(
        default=None,
        metadata={
            "help": "Table of changes of items, or of item_id and values of now such as stock, that is followed: csv or "
            "parquet."
        },
    )
    follow_every: float = field(
        default=10.0, metadata={"help": "Seconds between two looks at whether that table has changed."}
    )
    workers: int = field(
        default=1, metadata={"help": "Processes that answer on the port; they share the model's memory."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.port <= 65535, "port", self.port, "0 to 65535")
        require(self.threads >= 0, "threads", self.threads, "0 or more")
        for name in ("workers", "queue", "batch", "connections"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("most_added", "most_changed"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(0 <= self.drain <= 3600, "drain", self.drain, "0 to 3600 seconds")
        for name in ("follow_every", "timeout", "grace", "poll", "header_timeout", "idle_timeout"):
            require(0 < getattr(self, name) <= 3600, name, getattr(self, name), "seconds above 0, 3600 at most")
        require(self.body_bytes >= 1024, "body_bytes", self.body_bytes, "1024 or more")
        for name in self.allowed_hosts:
            usable = name == "*" or host_of(name) == name.strip("[]").lower()
            require(usable, "allowed_hosts", name, "names or addresses without scheme, port and path, or *")
        if self.token is not None and (len(self.token) < 16 or not self.token.isascii() or " " in self.token):
            raise ConfigurationError("The token cannot be used. Give 16 or more ASCII characters without spaces.")

    @property
    def changes_path(self) -> Path | None:
        """The table that is followed."""
        return None if self.changes_file is None else Path(self.changes_file)

    @property
    def writable(self) -> bool:
        """Whether requests may add and change items: who reaches the service is known by a token, or by the machine."""
        return self.token is not None or self.host in LOCAL


def host_of(header: str) -> str | None:
    """The name or address in a Host header or behind the scheme of an Origin, in small letters; None where it is none.

    Args:
        header: "localhost:8000", "[::1]:8000", "shop.example".
    """
    found = _HOST.fullmatch(header.strip())
    if found is not None:
        return (found[1] or found[2]).lower().rstrip(".") or None
    return header.lower() if _is_address(header) else None


class Hosts:
    """The names that requests may call a service by.

    A page of another site can have its own name point to this machine and then reads what a service here answers: the
    browser takes both for one site. Such a request still carries the other name as its Host, and by it is refused.

    Args:
        listens: the name or address that it listens on.
        allowed: further names; "*" allows all.
        guarded: whether a token guards it; then other sites can do nothing, and names count only where some are given.
    """

    def __init__(self, listens: str, allowed: Iterable[str], guarded: bool) -> None:
        self._given = frozenset(name.strip("[]").lower().rstrip(".") for name in allowed)
        self._any = _ANY in self._given or (guarded and not self._given)
        self._names = {*self._given, *_LOOPBACK, listens.strip("[]").lower()}
        # On all addresses of the machine it is called by any of them. An address cannot be made to point elsewhere.
        self._addresses = _is_address(listens) and ipaddress.ip_address(listens).is_unspecified
        if self._addresses:
            self._names.add(socket.gethostname().lower())

    def answers_as(self, host: str | None) -> bool:
        """Whether a request with this Host header is meant for this service; one without any comes from no browser."""
        if self._any or host is None:
            return True
        name = host_of(host)
        return name is not None and (name in self._names or (self._addresses and _is_address(name)))

    def may_come_from(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of this Origin may ask: one of the service itself, or of a site that is allowed.

        Args:
            origin: header of the request, None where a browser sent none.
            host: the Host header.
        """
        if self._any or origin is None:
            return True
        scheme, _, site = origin.partition("://")
        if scheme.lower() not in ("http", "https"):
            return False
        return (host is not None and site.lower() == host.strip().lower()) or host_of(site) in self._given


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
