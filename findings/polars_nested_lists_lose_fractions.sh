#!/usr/bin/env bash
# Polars cuts off the fractions of lists where the first list holds whole numbers, without an error.
#
# Where: polars 2.1.0, `pl.Series` and `pl.DataFrame` from Python lists, with `strict=True`, the default.
# Guess before the run: a list of floats after a list of integers gives List(Float64), or, strict, an error, as plain
#   values do: `pl.Series([1, 0.5])` raises a TypeError.
# Behaviour: the first list decides on List(Int64), and the fractions of all later lists are cut off. The same values
#   as rows (`pl.DataFrame([{"v": [1, 2]}, {"v": [0.5, 1.0]}])`) give List(Float64). Fields of mappings that the first
#   mapping lacks vanish as well.
# Why it matters: an embedding column made from Python values is damaged where its first row is made of whole numbers,
#   such as a vector of zeros for a missing one. Attribute values in requests were read so here.
# Output seen: "plain values: TypeError; lists: [[0, 0], [0, 1]]; rows: [[0.0, 0.0], [0.5, 1.9]]; mappings: [{'a': 1}, {'a': 2}]".
# Fails if that changes. Needs pip and Python; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet polars==2.1.0
"$folder/env/bin/python" - <<'PY'
import sys

import polars as pl

vectors = [[0, 0], [0.5, 1.9]]
try:
    plain = pl.Series([1, 0.5]).to_list()
except TypeError:
    plain = "TypeError"
lists = pl.Series(vectors).to_list()
rows = pl.DataFrame([{"v": vector} for vector in vectors])["v"].to_list()
mappings = pl.Series([{"a": 1}, {"a": 2, "b": 3}]).to_list()
said = f"plain values: {plain}; lists: {lists}; rows: {rows}; mappings: {mappings}"
print(said)
seen = "plain values: TypeError; lists: [[0, 0], [0, 1]]; rows: [[0.0, 0.0], [0.5, 1.9]]; mappings: [{'a': 1}, {'a': 2}]"
sys.exit(said != seen)
PY
