#!/usr/bin/env bash
# A derandomized property test tries other examples once another module of the project has been imported.
#
# Where: Hypothesis 6.170.15, `settings(derandomize=True, database=None)`.
# Guess before the run: the documents say that the seed is a hash of the test function, so that every run of the same
#   test by the same release of Hypothesis and Python tries the same examples, whatever ran before it.
# Behaviour: it draws, now and then, constants that stand in the source of those modules of the project
#   which are in `sys.modules` at that moment. An import of a module that the test does not use changes the examples.
# Why it matters: with several test processes (pytest-xdist), or in another order, a process has imported other modules
#   before a test, so that a derandomized test passes in one run of CI and fails in the next, by a real bug or a wrong
#   strategy that no rerun of the test alone shows.
# Output seen: "examples alone and after an import of another module are the same: False; alone twice: True".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet hypothesis==6.170.15
mkdir "$folder/project"
cd "$folder/project"
cat > other.py <<'PY'
WORDS = ("first", "second", "third", "a longer constant", "and one more")
NUMBERS = (12345, 67890, 1122334455)
PY
cat > tried.py <<'PY'
import hashlib
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

if "import" in sys.argv:
    import other
digest = hashlib.sha256()


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(st.text(), st.integers())
def test(text: str, number: int) -> None:
    digest.update(repr((text, number)).encode())


test()
print(digest.hexdigest())
PY
run() { "$folder/env/bin/python" tried.py "$@"; }
alone=$(run); again=$(run); after=$(run import)
said() { [ "$1" = "$2" ] && echo True || echo False; }
line="examples alone and after an import of another module are the same: $(said "$alone" "$after"); alone twice: $(said "$alone" "$again")"
echo "$line"
[ "$line" = "examples alone and after an import of another module are the same: False; alone twice: True" ]
