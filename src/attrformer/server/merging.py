"""The metrics of several workers as one text for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping


def merged(texts: Mapping[int, str], *, workers: int, ready: int, restarts: int) -> str:
    """The metrics of all workers, each with the label `worker`, and those of the service as a whole.

    They are not added up here: a worker that is replaced begins at 0 again, which Prometheus notices in a series of its
    own, and would take for a jump in a sum.

    Args:
        texts: what each worker says, by its number.
        workers: how many there are to be.
        ready: how many have a model.
        restarts: workers that were made in place of others.
    """
    families: dict[str, list[str]] = {}
    heads: dict[str, list[str]] = {}
    for number, text in sorted(texts.items()):
        name = ""
        for line in text.splitlines():
            if line.startswith("# "):
                name = line.split(" ", 3)[2]
                head = heads.setdefault(name, [])
                families.setdefault(name, [])
                if line not in head:
                    head.append(line)
            elif line:
                families[name].append(_labelled(line, number))
    lines = [line for name in families for line in (*heads[name], *families[name])]
    lines += _own("attrformer_workers", "gauge", "Workers that there are to be.", workers)
    lines += _own("attrformer_workers_ready", "gauge", "Workers that have a model.", ready)
    words = "Workers that took the place of one that died."
    lines += _own("attrformer_worker_restarts_total", "counter", words, restarts)
    return "\n".join(lines) + "\n"


def _labelled(line: str, worker: int) -> str:
    """A sample with one label more: `name{a="b"} 1.0` or `name 1.0`."""
    name, _, rest = line.partition(" ")
    if "{" in name:
        name, _, rest = line.partition("{")
        return f'{name}{{worker="{worker}",{rest}'
    return f'{name}{{worker="{worker}"}} {rest}'


def _own(name: str, kind: str, words: str, value: int) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}", f"{name} {float(value)}"]
