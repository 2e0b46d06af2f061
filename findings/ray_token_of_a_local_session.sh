#!/usr/bin/env bash
# After one local session of Ray on a machine, clusters started there refuse programs that name their address.
#
# Where: ray 2.60.0, a home folder without `.ray`, no variable of Ray set but those that keep it on this machine.
# Guess before the run: `ray start --head` and `ray.init(address="HOST:PORT")` do the same whatever ran before; and if a
#   cluster can be joined by `address="auto"`, it can be joined by the address that `auto` stands for.
# Behaviour: `ray.init('local')`, as in a notebook, writes `~/.ray/auth_token` and leaves it there. From then on
#   `ray start --head` finds the file and makes a cluster that asks for the token. `address="auto"` takes the token from
#   the file; the same address written out does not, and ends in a ConnectionError that names no token, unless
#   RAY_AUTH_MODE=token is set. Before the local session, the same two lines work. Ray announces tokens for all
#   clusters in later releases; that a file of an earlier session decides today is what one would not guess.
# Why it matters: a job that names its cluster works until somebody of the same account opens a notebook on the head
#   node and the cluster is started again.
# Output seen: "before: joined by address; after: address refused (ConnectionError), auto joined, address with RAY_AUTH_MODE=token joined".
# Fails if that changes. Needs pip and Python; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet ray==2.60.0
mkdir "$folder/home"
unset RAY_ADDRESS RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_AUTH_TOKEN_PATH
# The second one has Ray use the loopback interface alone.
export HOME="$folder/home" RAY_USAGE_STATS_ENABLED=0 RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
"$folder/env/bin/python" - "$folder/env/bin" <<'PY'
import os
import signal
import subprocess
import sys
import time

PORT = 6397
JOIN = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False); print('joined')"


def joined(address, **more):
    command = [sys.executable, "-c", JOIN, address]
    done = subprocess.run(command, env=os.environ | more, capture_output=True, text=True)
    return "joined" if "joined" in done.stdout else f"refused ({done.stderr.strip().splitlines()[-1].split(':')[0]})"


def cluster():
    words = ("start", "--head", "--block", f"--port={PORT}", "--num-cpus=1", "--include-dashboard=false")
    command = [f"{sys.argv[1]}/ray", *words, "--node-ip-address=127.0.0.1", "--object-store-memory=80000000"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in started.stdout:
        if "--block" in line:
            return started
    sys.exit("ray start failed")


def end(started):
    started.send_signal(signal.SIGTERM)
    started.wait()
    time.sleep(2)


address = f"127.0.0.1:{PORT}"
first = cluster()
before = joined(address)
end(first)
subprocess.run([sys.executable, "-c", "import ray; ray.init('local', num_cpus=1)"], check=True, capture_output=True)
second = cluster()
after, auto, told = joined(address), joined("auto"), joined(address, RAY_AUTH_MODE="token")
end(second)
said = f"before: {before} by address; after: address {after}, auto {auto}, address with RAY_AUTH_MODE=token {told}"
print(said)
seen = "before: joined by address; after: address refused (ConnectionError), auto joined, "
sys.exit(said != seen + "address with RAY_AUTH_MODE=token joined")
PY
