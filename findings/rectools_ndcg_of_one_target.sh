#!/usr/bin/env bash
# RecTools' NDCG@20 of a list that begins with the only test item is .142, RePlay's is 1.
#
# Where: RecTools 0.19.0, `rectools.metrics.NDCG(k=20)`; RePlay 0.22.0, `replay.metrics.NDCG(20)`.
# Guess before the run: 1.0 in both: the best list that there can be has the test item first.
# Behaviour: RecTools divides by the DCG of twenty relevant items, however many a user has, unless it is told
#   `divide_by_achievable=True` (there since early 2025). With one target for each user (leave-one-out) its NDCG@20 is
#   7.04 times and its NDCG@10 4.54 times smaller than that of others. Its MAP of the same list is 1.
# Why it matters: figures of the two libraries, and of papers that used either, differ by that factor under one name.
#   Ours are of the kind that can reach 1 (docs/protocol.md).
# Output seen: "RecTools 0.142 at 20, 0.220 at 10, achievable 1.000, MAP 1.000; RePlay 1.000".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet rectools==0.19.0 replay-rec==0.22.0
"$folder/env/bin/python" -W ignore - <<'PY'
import sys

import pandas as pd
from rectools.metrics import MAP, NDCG
from replay.metrics import NDCG as ReplayNDCG

ranked = pd.DataFrame({"user_id": 1, "item_id": range(1, 21), "rank": range(1, 21)})
test = pd.DataFrame({"user_id": [1], "item_id": [1]})
rectools = [
    metric.calc(ranked, test) for metric in (NDCG(k=20), NDCG(k=10), NDCG(k=20, divide_by_achievable=True), MAP(k=20))
]
scored = ranked.assign(query_id=1, rating=21.0 - ranked["rank"])
replay = ReplayNDCG(20)(scored[["query_id", "item_id", "rating"]], test.rename(columns={"user_id": "query_id"}))
said = "RecTools {:.3f} at 20, {:.3f} at 10, achievable {:.3f}, MAP {:.3f}".format(*rectools)
said += f"; RePlay {replay['NDCG@20']:.3f}"
print(said)
sys.exit(said != "RecTools 0.142 at 20, 0.220 at 10, achievable 1.000, MAP 1.000; RePlay 1.000")
PY
