#!/usr/bin/env bash
# safetensors reads an empty range of rows of a tensor in a file, but not at its end, nor of a tensor without rows.
#
# Where: safetensors 0.8.0, `safe_open(file, "numpy").get_slice(name)[start:stop]`.
# Guess before the run: a slice means what it means for the array that was saved, so that an empty one is an empty array
#   wherever it lies, as `array[2:2]` of two rows is.
# Behaviour: `[0:0]` and `[1:1]` of two rows are empty arrays; `[2:2]`, and `[0:0]` of a tensor without rows, raise
#   SafetensorError ("index 2 out of bounds for tensor dimension #0 of size 2"), although `[0:2]` is allowed.
# Why it matters: values of many rows in one file are cut by offsets. The last row is read as
#   `[offsets[-2]:offsets[-1]]` and fails where it is empty; every other empty row is read. Such files work until their
#   last row happens to be empty.
# Output seen: "[0:0] 0, [1:1] 0, [2:2] SafetensorError, [0:2] 2, none [0:0] SafetensorError".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet safetensors==0.8.0 numpy==2.4.6
"$folder/env/bin/python" - "$folder/rows.safetensors" <<'PY'
import sys

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

save_file({"two": np.arange(2), "none": np.empty(0, np.int64)}, sys.argv[1])


def read(name, start, stop):
    with safe_open(sys.argv[1], "numpy") as file:
        try:
            return len(file.get_slice(name)[start:stop])
        except SafetensorError:
            return "SafetensorError"


said = ", ".join(f"[{start}:{stop}] {read('two', start, stop)}" for start, stop in ((0, 0), (1, 1), (2, 2), (0, 2)))
said += f", none [0:0] {read('none', 0, 0)}"
print(said)
sys.exit(said != "[0:0] 0, [1:1] 0, [2:2] SafetensorError, [0:2] 2, none [0:0] SafetensorError")
PY
