#!/usr/bin/env bash
# MovieLens-100K numbers its items by the users who rated them.
#
# Where: the file ml-100k.inter in the wheel of RecBole 1.2.1, a copy of GroupLens' u.data.
# Guess before the run: items are numbered as the catalogue lists them, by title or by date of release, so that the
#   lowest user number of an item rises at about half of the steps from one item number to the next.
# Behaviour: walking the items in the order of their numbers, the lowest number of a user who rated them never falls.
#   Items 1 to 272 are those of user 1, the next ones are new with user 2, and so on: items are numbered by first
#   appearance, user after user, over all ratings. Whoever holds out ratings has numbered the held-out ones as well, so
#   that a number says which user an item came with. MovieLens-1M and later sets are not numbered so.
# Why it matters: a model that reads item numbers as a feature, or an order of them, reads held-out interactions.
# Output seen: "1682 items, 1681 of 1681 steps do not fall, items of user 1: 1 to 272".
# Fails if that changes. Needs pip and Python; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --no-deps --dest "$folder" recbole==1.2.1
python3 - "$folder" <<'PY'
import glob
import sys
import zipfile

wheel = zipfile.ZipFile(glob.glob(f"{sys.argv[1]}/recbole-1.2.1-*.whl")[0])
lines = wheel.read("recbole/dataset_example/ml-100k/ml-100k.inter").decode().splitlines()[1:]
lowest = {}
for user, item, *_ in (line.split("\t") for line in lines):
    lowest[int(item)] = min(int(user), lowest.get(int(item), int(user)))
users = [lowest[item] for item in sorted(lowest)]
steady = sum(before <= after for before, after in zip(users, users[1:]))
first = [item for item in lowest if lowest[item] == 1]
said = f"{len(users)} items, {steady} of {len(users) - 1} steps do not fall, items of user 1: {min(first)} to {max(first)}"
print(said)
sys.exit(said != "1682 items, 1681 of 1681 steps do not fall, items of user 1: 1 to 272")
PY
