"""Values whose arrays lie in a file that several processes map into memory."""

from __future__ import annotations

import mmap
import pickle
from pathlib import Path
from typing import Any, Final

_ALIGNED: Final = 64


def write_mappable(value: object, folder: Path) -> None:
    """Writes a value for `mapped`.

    Args:
        value: can be pickled; its NumPy arrays are written beside the pickle.
        folder: empty; nobody but this user may be able to write to it.

    Raises:
        OSError: it cannot be written.
    """
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    places: list[tuple[int, int]] = []
    with (folder / "arrays").open("wb") as file:
        for buffer in buffers:
            raw = buffer.raw()
            file.write(b"\0" * (-file.tell() % _ALIGNED))
            places.append((file.tell(), raw.nbytes))
            file.write(raw)
        # An empty file cannot be mapped.
        file.write(b"\0")
    (folder / "value").write_bytes(pickle.dumps((head, places)))


def mapped(folder: Path) -> Any:
    """What `write_mappable` wrote; pages of arrays are read when they are used, and copied only where they are changed.

    Args:
        folder: that it wrote to; it may be removed afterwards.
    """
    head, places = pickle.loads((folder / "value").read_bytes())
    with (folder / "arrays").open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    return pickle.loads(head, buffers=[whole[start : start + size] for start, size in places])
