#!/usr/bin/env bash
# After a process was ended while numba wrote its cache, `cache=True` runs the code of an earlier source, for good.
#
# Where: numba 0.68.1, `numba.njit(cache=True)`, files beside the source.
# Guess before the run: the code of a signature is written first and named in the index last, each under a temporary
#   name, so that a process that is killed in between costs no more than a compilation. The index knows the time and
#   the size of the source, so that code of another source is not found.
# Behaviour: the index comes first. It begins anew where the source has changed, and numbers files from 1 again, so
#   until the code is written it names the file of the earlier source. Whoever reads it then, or ever after where the
#   writer was ended, runs that. Two processes that compile two signatures at a time may give both one file, and then
#   one of them is answered by the code of the other.
# Why it matters: numbers of a version of the program that is no longer there, and nothing says so.
# Output seen: "of the first source: 2; of the second: 2".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet numba==0.68.1
cd "$folder"
written() {
    printf 'import numba\n@numba.njit(cache=True)\ndef more(x):\n    return x + %s\n' "$1" > more.py
}
written 1
first=$(env/bin/python -c "import more; print(more.more(1))")
written 1000
# Ended after the first of two files was given its name, as by a lack of memory or of patience.
env/bin/python - <<'PY' || true
import os
import signal

import more

replace = os.replace


def ended(old: str, new: str) -> None:
    replace(old, new)
    os.kill(os.getpid(), signal.SIGKILL)


os.replace = ended
more.more(1)
PY
second=$(env/bin/python -c "import more; print(more.more(1))")
echo "of the first source: $first; of the second: $second"
[ "$first/$second" = 2/2 ]
