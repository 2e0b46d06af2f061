#!/usr/bin/env bash
# RePlay ranks items of equal score by their number, the highest first, whatever the order of the rows.
#
# Where: RePlay 0.22.0, `replay.metrics` on tables with a column `rating` (pandas and Polars).
# Guess before the run: rows of one user with equal scores keep their order in the table, as a stable sort leaves them,
#   or count as ranks that are shared.
# Behaviour: item 20 of twenty tied items has MRR 1, item 1 has .05, and reversing the rows changes nothing. With
#   data whose numbers tell the time of an item's first interaction, ties put the latest items first.
# Why it matters: popularity, co-occurrence and quantised models tie often, and item numbers are not noise: numbering by
#   first appearance makes a high number a late, often held-out item. Ours ranks ties against the model in evaluation.
# Output seen: "rows as they are: lowest item 0.05, highest item 1.00; rows reversed: 0.05, 1.00; Polars: 0.05, 1.00".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet replay-rec==0.22.0
"$folder/env/bin/python" -W ignore - <<'PY'
import sys

import pandas as pd
import polars as pl
from replay.metrics import MRR

tied = pd.DataFrame({"query_id": 1, "item_id": range(1, 21), "rating": 1.0})
tests = [pd.DataFrame({"query_id": [1], "item_id": [item]}) for item in (1, 20)]


def figures(rows, convert=lambda table: table):
    return [MRR(20)(convert(rows), convert(test))["MRR@20"] for test in tests]


said = "rows as they are: lowest item {:.2f}, highest item {:.2f}".format(*figures(tied))
said += "; rows reversed: {:.2f}, {:.2f}".format(*figures(tied[::-1]))
said += "; Polars: {:.2f}, {:.2f}".format(*figures(tied, pl.from_pandas))
print(said)
sys.exit(said != "rows as they are: lowest item 0.05, highest item 1.00; rows reversed: 0.05, 1.00; Polars: 0.05, 1.00")
PY
