"""Which sites a service answers as.

A page of another site can have its own name point to this machine and then reads what a service here answers: the
browser takes both for one site. Such a request still carries the other name as its Host, and by it is refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Final

_HOST: Final = re.compile(r"(?:\[([0-9a-fA-F:.%]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{0,5})?")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ANY: Final = "*"


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
