#!/usr/bin/env bash
# Ray writes errors of its cluster to the standard output of the program, whatever is said of logs.
#
# Where: ray 2.60.0, `ray.init(log_to_driver=False, logging_level="ERROR")`.
# Guess before the run: with logs of workers off and the level at ERROR, a program's standard output holds what the
#   program prints; what Ray has to say of a lost process goes to standard error, as its own logger does.
# Behaviour: a thread of the program prints each error of the cluster (a lost process, a dead node with the last lines
#   of its log) to standard output, coloured, some of it only in `ray.shutdown()`. `log_to_driver=False` and the level
#   change nothing; retries do not either: the task below succeeds the second time, and nobody is told of an error.
# Why it matters: `rows=$(program)` or `program | jq` works for months, and breaks on the day when a node is lost, which
#   is the one case that retries are for. `contextlib.redirect_stdout(sys.stderr)` around everything until after
#   `ray.shutdown()` keeps the two apart.
# Output seen: "result 7; on standard output besides: (raylet) A worker died or was killed while executing a task".
# Fails if that changes. Needs pip and Python; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet ray==2.60.0
cat >"$folder/program.py" <<'PY'
import os
import sys
import time

import ray

# Listens on the loopback interface alone.
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


@ray.remote(max_retries=1)
def seven(mark):
    if not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), 9)
    return 7


print("result", ray.get(seven.remote(sys.argv[1])))
time.sleep(2)
ray.shutdown()
PY
RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 RAY_USAGE_STATS_ENABLED=0 \
  "$folder/env/bin/python" "$folder/program.py" "$folder/mark" >"$folder/output" 2>"$folder/errors"
"$folder/env/bin/python" - "$folder/output" <<'PY'
import re
import sys

lines = re.sub(r"\x1b\[\d*m", "", open(sys.argv[1]).read()).splitlines()
besides = [line for line in lines if line != "result 7"]
words = "(raylet) A worker died or was killed while executing a task"
print(f"result 7; on standard output besides: {words}" if "result 7" in lines and besides else lines)
sys.exit("result 7" not in lines or not any(line.startswith(words) for line in besides))
PY
