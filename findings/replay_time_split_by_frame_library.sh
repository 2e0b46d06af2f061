#!/usr/bin/env bash
# RePlay's TimeSplitter with a share cuts a pandas table between two times, and a Polars table within one time.
#
# Where: RePlay 0.22.0, `replay.splitters.TimeSplitter(time_threshold=0.5)`.
# Guess before the run: one call makes one split, whatever the library of the table, and a global time split never puts
#   interactions of one moment on both sides.
# Behaviour: with pandas, all rows from the time at the cut on are test, six of ten here. With Polars, the last five of
#   ten rows are, so that rows of time 2 lie on both sides, and which of them is decided by their order in the table.
#   Without equal times the two agree.
# Why it matters: times of a day's resolution (Amazon reviews, H&M) are mostly equal; test interactions of the day of the
#   cut are then predicted from training interactions of the same day, and figures differ by the frame library.
# Output seen: "pandas: test times [2, 2, 2, 3, 3, 3]; Polars: test times [2, 2, 3, 3, 3]".
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
from replay.splitters import TimeSplitter

times = [1] * 4 + [2] * 3 + [3] * 3
rows = pd.DataFrame({"query_id": range(10), "item_id": range(10), "timestamp": times})
splitter = TimeSplitter(time_threshold=0.5, query_column="query_id")
by_pandas = sorted(splitter.split(rows)[1]["timestamp"].tolist())
by_polars = sorted(splitter.split(pl.from_pandas(rows))[1]["timestamp"].to_list())
said = f"pandas: test times {by_pandas}; Polars: test times {by_polars}"
print(said)
sys.exit(said != "pandas: test times [2, 2, 2, 3, 3, 3]; Polars: test times [2, 2, 3, 3, 3]")
PY
