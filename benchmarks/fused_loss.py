"""Time and peak memory of the fused loss against the plain one, without relation parts and with alpha_0 = 0.

Plain is `torch.nn.functional.cross_entropy(hidden @ table.T, targets)`, forward and backward. Both are timed twice:
with the C library's default allocation, as any script has it, and with freed memory kept, as training has it.

Example: python benchmarks/fused_loss.py --threads 2
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import bench

GROWTH = (1, 2, 4)
KINDS = ("plain", "fused")


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--targets", type=int, default=1700, help="target positions, a multiple of --places")
    parser.add_argument("--places", type=int, default=10, help="target positions of one sequence")
    parser.add_argument("--items", type=int, default=12101, help="catalogue size")
    parser.add_argument("--width", type=int, default=64, help="hidden width")
    parser.add_argument("--repeats", type=int, default=10, help="rounds that count")
    parser.add_argument("--block-elements", type=int, nargs="+", default=[1 << 20], help="logits made at a time")
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="type of the products of the fused loss; plain always has float32",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    # What the script asks of itself in a fresh process, where only one of the two has ever run.
    parser.add_argument("--peak-of", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.targets < 1 or options.places < 1 or options.targets % options.places:
        parser.error(f"--targets {options.targets} is no multiple of --places {options.places}")
    return options


def losses(options: argparse.Namespace, precision: str, targets: int) -> dict[str, Callable[[int], Any]]:
    """Plain and fused loss with their backward pass, on the same random inputs; called with the block elements."""
    import torch

    from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy

    generator = torch.Generator().manual_seed(0)
    shape = (targets // options.places, options.places)
    hidden = torch.randn(*shape, options.width, generator=generator).requires_grad_()
    table = (0.1 * torch.randn(options.items, options.width, generator=generator)).requires_grad_()
    wanted = torch.randint(options.items, (*shape, 1), generator=generator)
    popularity = torch.full((options.items,), 1 / options.items)
    target = PosteriorTarget(wanted, torch.ones(*shape, 1), 0.0, popularity, (0.0, 0.0, 1.0), None)
    mask = torch.ones(shape)

    def plain(_: int) -> Any:
        loss = torch.nn.functional.cross_entropy(hidden.flatten(0, 1) @ table.t(), wanted.flatten())
        return loss, *torch.autograd.grad(loss, (hidden, table))

    def fused(elements: int) -> Any:
        kind = getattr(torch, precision)
        loss = fused_cross_entropy(hidden, table, [], target, mask, block_elements=elements, precision=kind)
        return loss, *torch.autograd.grad(loss, (hidden, table))

    return {"plain": plain, "fused": fused}


def measure_peak(options: argparse.Namespace) -> None:
    """Prints by how many bytes one pass raises the peak memory of this process."""
    import resource

    import torch

    from attrformer.training.device import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(options.threads)
    elements = options.block_elements[0]
    # The libraries set up their buffers at the first product, which is not what is asked.
    losses(options, options.precision, options.places)[options.peak_of](elements)
    run = losses(options, options.precision, options.targets)[options.peak_of]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(elements)
    unit = 1 if sys.platform == "darwin" else 1024
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)


def peaks(options: argparse.Namespace, precision: str) -> dict[str, dict[int, int]]:
    """Bytes by which the peak rises, by kind and number of targets; each measured in a process of its own."""
    if sys.platform == "win32":
        return {}
    shared = [f"--{name}={getattr(options, name)}" for name in ("threads", "places", "items", "width")]
    shared += [f"--precision={precision}", f"--block-elements={options.block_elements[0]}"]
    found: dict[str, dict[int, int]] = {}
    for kind in KINDS:
        for factor in GROWTH:
            count = factor * options.targets
            command = [sys.executable, __file__, *shared, f"--targets={count}", f"--peak-of={kind}"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found.setdefault(kind, {})[count] = json.loads(done.stdout)
    return found


def timed(options: argparse.Namespace, precision: str) -> dict[str, dict[str, dict[str, float]]]:
    """Seconds by allocation and loss; default allocation comes first, since keeping memory cannot be undone."""
    import torch

    from attrformer.training.device import keep_freed_memory

    torch.set_num_threads(options.threads)
    both = losses(options, precision, options.targets)
    runs: dict[str, Callable[[], Any]] = {"plain": partial(both["plain"], 0)}
    for elements in options.block_elements:
        runs[f"fused, {elements:,} logits at a time"] = partial(both["fused"], elements)
    seconds = {"default": bench.times(runs, options.repeats)}
    if keep_freed_memory():
        seconds["kept"] = bench.times(runs, options.repeats)
    return seconds


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.peak_of:
        measure_peak(options)
        return
    precision = options.precision
    if precision == "auto":
        done = subprocess.run([sys.executable, "-c", CHOICE, str(options.threads)], stdout=subprocess.PIPE, check=True)
        precision = done.stdout.decode().strip()
    # Before torch fills this process: on Linux a child's peak starts at that of its parent.
    memory = peaks(options, precision)
    seconds = timed(options, precision)
    ratios = {
        allocation: {
            name: {which: found["plain"][which] / value[which] for which in value}
            for name, value in found.items()
            if name != "plain"
        }
        for allocation, found in seconds.items()
    }
    sizes = {name: getattr(options, name) for name in ("targets", "places", "items", "width", "repeats")}
    result = {
        "hardware": bench.hardware(options.threads),
        **sizes,
        "precision": precision,
        "seconds": seconds,
        "ratio": ratios,
        "peak_bytes": memory,
    }
    bench.report(result, lines(result), options.json)


CHOICE = """
import sys, torch
from attrformer.training.device import choose_precision
torch.set_num_threads(int(sys.argv[1]))
print(str(choose_precision("auto", torch.device("cpu"))).removeprefix("torch."))
"""


def lines(result: dict[str, Any]) -> list[str]:
    """The figures for people."""
    out = [
        f"{result['targets']:,} targets x {result['items']:,} items x width {result['width']}, "
        f"products of the fused loss in {result['precision']}, {result['repeats']} rounds"
    ]
    words = {"default": "default allocation", "kept": "freed memory kept, as in training"}
    for allocation, found in result["seconds"].items():
        out.append(f"{words[allocation]}:")
        for name, value in found.items():
            ratio = result["ratio"][allocation].get(name)
            faster = f"  {ratio['median']:.2f} times as fast ({ratio['best']:.2f} at best)" if ratio else ""
            out.append(
                f"  {name:36} median {value['median'] * 1e3:7.1f} ms  best {value['best'] * 1e3:7.1f} ms{faster}"
            )
    if result["peak_bytes"]:
        out.append("growth of the peak memory, freed memory kept:")
    for kind, found in result["peak_bytes"].items():
        sizes = "  ".join(f"{count:,} targets {peak / 2**20:7.1f} MiB" for count, peak in found.items())
        out.append(f"  {kind}: {sizes}")
    return out


if __name__ == "__main__":
    main()
