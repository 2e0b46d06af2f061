"""Whether what the extra `serve` installs is there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from attrformer.errors import ConfigurationError

_NEEDED: Final = ("fastapi", "uvicorn", "prometheus_client")


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
