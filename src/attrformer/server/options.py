"""What can be set about a service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from attrformer.config import Options
from attrformer.errors import ConfigurationError, require
from attrformer.server.hosts import host_of

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

LOCAL: Final = ("127.0.0.1", "::1", "localhost")

RESERVED: Final = 64
"""Connections beyond the bound, for probes and for being told to come back later."""


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
    threads: int = field(default=1, metadata={"help": "Threads of the arithmetic; 0 leaves the library's choice."})
    device: str = field(default="auto", metadata={"help": "Where to compute: auto, cpu, cuda, mps."})
    queue: int = field(default=256, metadata={"help": "Requests that may wait; more get 429."})
    batch: int = field(default=64, metadata={"help": "Users that are answered together."})
    timeout: float = field(default=10.0, metadata={"help": "Seconds until a request that waits gets 503."})
    grace: float = field(default=30.0, metadata={"help": "Seconds that running requests have after SIGTERM."})
    body_bytes: int = field(default=1 << 20, metadata={"help": "Largest body of a request; larger ones get 413."})
    connections: int = field(default=1000, metadata={"help": "Open connections; idle ones make room for more."})
    header_timeout: float = field(default=10.0, metadata={"help": "Seconds that the head of a request may take."})
    idle_timeout: float = field(default=30.0, metadata={"help": "Seconds that a connection may wait for a request."})
    allowed_hosts: tuple[str, ...] = field(
        default=(), metadata={"help": "Names that requests may call this service by; * for any."}
    )
    save_added: bool = field(default=False, metadata={"help": "Keep added items in the run."})
    most_added: int = field(default=10_000, metadata={"help": "Items that may be added to those of the model."})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.port <= 65535, "port", self.port, "0 to 65535")
        require(self.threads >= 0, "threads", self.threads, "0 or more")
        for name in ("queue", "batch", "connections"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.most_added >= 0, "most_added", self.most_added, "0 or more")
        for name in ("timeout", "grace", "header_timeout", "idle_timeout"):
            require(0 < getattr(self, name) <= 3600, name, getattr(self, name), "seconds above 0, 3600 at most")
        require(self.body_bytes >= 1024, "body_bytes", self.body_bytes, "1024 or more")
        for name in self.allowed_hosts:
            usable = name == "*" or host_of(name) == name.strip("[]").lower()
            require(usable, "allowed_hosts", name, "names or addresses without scheme, port and path, or *")
        if self.token is not None and (len(self.token) < 16 or not self.token.isascii() or " " in self.token):
            raise ConfigurationError("The token cannot be used. Give 16 or more ASCII characters without spaces.")

    @property
    def writable(self) -> bool:
        """Whether requests may add items: who may reach the service is known by a token, or by the machine."""
        return self.token is not None or self.host in LOCAL
