#!/usr/bin/env bash
# A test item that stands twice in the test table makes NDCG exceed 1 in RecTools, and costs a perfect list in RePlay.
#
# Where: RecTools 0.19.0, `NDCG(k=20, divide_by_achievable=True)`; RePlay 0.22.0, `NDCG(20)`, `MAP(20)`, `MRR(20)`.
# Guess before the run: an item that a user bought twice in the test window is one relevant item, so that a list which
#   begins with it has NDCG 1, or the tables are refused.
# Behaviour: RecTools' join counts the hit once for each row, and both count two relevant items: its NDCG is 1.226.
#   RePlay counts the hit once and two relevant items: NDCG .613 and MAP .5 for a list that cannot be better, while
#   Recall and MRR are 1. Neither says anything.
# Why it matters: test windows of shops hold repeat purchases (a time split with all targets); figures of both libraries
#   then depend on whether the test table was made distinct first.
# Output seen: "RecTools NDCG 1.226, Recall 1.000; RePlay NDCG 0.613, MAP 0.500, Recall 1.000".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet rectools==0.19.0 replay-rec==0.22.0
"$folder/env/bin/python" -W ignore - <<'PY'
import sys

import pandas as pd
import replay.metrics as replay
from rectools.metrics import NDCG, Recall

ranked = pd.DataFrame({"user_id": 1, "item_id": range(1, 21), "rank": range(1, 21)})
test = pd.DataFrame({"user_id": [1, 1], "item_id": [1, 1]})
figures = [metric.calc(ranked, test) for metric in (NDCG(k=20, divide_by_achievable=True), Recall(k=20))]
scored = ranked.assign(query_id=1, rating=21.0 - ranked["rank"])[["query_id", "item_id", "rating"]]
wanted = test.rename(columns={"user_id": "query_id"})
figures += [getattr(replay, name)(20)(scored, wanted)[f"{name}@20"] for name in ("NDCG", "MAP", "Recall")]
said = "RecTools NDCG {:.3f}, Recall {:.3f}; RePlay NDCG {:.3f}, MAP {:.3f}, Recall {:.3f}".format(*figures)
print(said)
sys.exit(said != "RecTools NDCG 1.226, Recall 1.000; RePlay NDCG 0.613, MAP 0.500, Recall 1.000")
PY
