#!/usr/bin/env bash
# The number of threads that a thread sets for torch is replaced by another thread's, until torch has read it once.
#
# Where: torch 2.13.0, `torch.set_num_threads` as the initializer of a pool of threads (a common way to give each
#   thread of a pool one thread of its own).
# Guess before the run: a number set in a thread is that thread's from then on, as with OpenMP; or it is one number of
#   the process, and whoever set it last decides for all. Either way every thread of the pool does the same.
# Behaviour: neither. It is the thread's own number, but the first operation that torch splits there (or
#   `get_num_threads`) reads the number of the process again, which any other thread may have set meanwhile. Two
#   threads of one pool thus keep different numbers, by which of them was first at work. A call of `get_num_threads`
#   before `set_num_threads` holds it.
# Why it matters: a product of two small matrices differs in its last bits by the number, so that a sum over a pool
#   differs from run to run, rarely, with the same seed.
# Output seen: "set to 1 in the pool, then 2 outside: 2; with get_num_threads first: 1; a product equal: False".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.13.0 numpy
"$folder/env/bin/python" -W ignore - <<'PY'
import sys
from concurrent.futures import ThreadPoolExecutor

import torch


def read_first(threads: int) -> None:
    torch.get_num_threads()
    torch.set_num_threads(threads)


def seen_by_a_pool(initializer) -> int:
    pool = ThreadPoolExecutor(1, initializer=initializer, initargs=(1,))
    pool.submit(int).result()
    torch.set_num_threads(2)
    return pool.submit(torch.get_num_threads).result()


left, right = torch.randn(6, 8), torch.randn(8, 50)
products = []
for threads in (1, 2):
    torch.set_num_threads(threads)
    products.append(left @ right)
set_only, read_before = seen_by_a_pool(torch.set_num_threads), seen_by_a_pool(read_first)
print(
    f"set to 1 in the pool, then 2 outside: {set_only}; with get_num_threads first: {read_before}; "
    f"a product equal: {torch.equal(*products)}"
)
sys.exit((set_only, read_before) != (2, 1))
PY
