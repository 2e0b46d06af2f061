#!/usr/bin/env bash
# Ray Train needs Ray's dashboard to clean up: with the package 'ray[train]', each killed run leaves a process for good.
#
# Where: ray 2.60.0, Ray Train V2, installed as its own message asks (`pip install "ray[train]"`).
# Guess before the run: the extra brings what Ray Train needs. A run whose driver is killed leaves nothing after five
#   minutes, and the log of a healthy run is quiet.
# Behaviour: the actor that is to clean up after a lost run asks the State API, a part of the dashboard, which only
#   'ray[default]' installs. Without it the actor warns once a second while a run is healthy ("State API may be
#   temporarily unavailable"), and never learns that the run is over: its process of about 190 MB stays with the
#   cluster, one for each run that was killed. With the dashboard it is gone within two minutes.
# Why it matters: nodes that run for weeks and whose jobs are killed or preempted fill up. Install
#   'ray[default,train]'.
# Output seen: "ray[train]: 1 left, warns; ray[default,train]: 0 left, quiet".
# Fails if that changes. Needs pip and Python 3.11 on Linux; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/run.py" <<'PY'
import os
import sys
import time

import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

marker = sys.argv[1]


def work():
    open(marker, "w").close()
    time.sleep(600)


ray.init(address=os.environ["RAY_ADDRESS"])
run = RunConfig(name="run", storage_path=os.path.dirname(marker))
DataParallelTrainer(work, scaling_config=ScalingConfig(num_workers=1), run_config=run).fit()
PY
cat >"$folder/cluster.py" <<'PY'
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import ray

folder = Path(sys.argv[1])
ray.init("local", num_cpus=2, log_to_driver=False, logging_level="ERROR", object_store_memory=80 << 20)
told = os.environ | {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
log = folder / "log"
with log.open("w") as out:
    run = subprocess.Popen([sys.executable, folder / "run.py", folder / "working"], env=told, stdout=out, stderr=out)
    until = time.monotonic() + 300
    while not (folder / "working").exists() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(15)
    run.kill()
    run.wait()
until, left = time.monotonic() + 300, 1
while left and time.monotonic() < until:
    time.sleep(5)
    left, waiting = 0, [str(os.getpid())]
    while waiting:
        process = Path("/proc", waiting.pop())
        with suppress(OSError):
            left += (process / "cmdline").read_bytes().startswith(b"ray::PlacementGroupCleaner")
            waiting += [each for file in process.glob("task/*/children") for each in file.read_text().split()]
warns = log.read_text().count("State API may be temporarily unavailable") > 5
print(f"{left} left, {'warns' if warns else 'quiet'}")
PY
said=""
for extra in train default,train; do
    python3 -m venv "$folder/$extra"
    "$folder/$extra/bin/python" -m pip install --quiet "ray[$extra]==2.60.0" 2>/dev/null
    rm -f "$folder/working"
    found=$(RAY_USAGE_STATS_ENABLED=0 RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 \
        "$folder/$extra/bin/python" "$folder/cluster.py" "$folder" 2>/dev/null)
    said="$said; ray[$extra]: $found"
done
echo "${said:2}"
test "${said:2}" = "ray[train]: 1 left, warns; ray[default,train]: 0 left, quiet"
