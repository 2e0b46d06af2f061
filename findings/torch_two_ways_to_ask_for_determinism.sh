#!/usr/bin/env bash
# Two calls of torch that ask for deterministic algorithms, one documented as "an alternative interface" for the other,
# leave different states, and one of them imports the compilers of torch.
#
# Where: torch 2.13.0, `torch.use_deterministic_algorithms(True)` and `torch.set_deterministic_debug_mode("error")`.
# Guess before the run: the same state, at the same price, since one is documented as the other's alternative; neither
#   imports anything, since both set a flag of the process.
# Behaviour: the first also sets `torch._inductor.config.deterministic`, and imports `torch._inductor`, `torch._dynamo`
#   and sympy for that, a second of processor, also where nothing is compiled. The second does neither:
#   `torch.are_deterministic_algorithms_enabled()` says True after both, and the compiler is not told by the second.
#   Making any optimizer of torch imports the same modules, so that the price is easily taken for the optimizer's.
# Why it matters: a training that compiles nothing starts a second sooner by the second call; one that compiles is told
#   that it is deterministic while its compiler does not know of it.
# Output seen: "debug mode: enabled True, inductor imported False, its flag False; use_deterministic_algorithms: enabled
#   True, inductor imported True, its flag True".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.13.0 numpy
"$folder/env/bin/python" -W ignore - <<'PY'
import subprocess
import sys

CALLS = {
    "debug mode": "torch.set_deterministic_debug_mode('error')",
    "use_deterministic_algorithms": "torch.use_deterministic_algorithms(True)",
}
PROGRAM = """
import sys, torch
{call}
imported = "torch._inductor" in sys.modules
import torch._inductor.config
print("enabled", torch.are_deterministic_algorithms_enabled(), "inductor imported", imported, "its flag",
      torch._inductor.config.deterministic, sep=" ")
"""
found = {}
for name, call in CALLS.items():
    said = subprocess.run([sys.executable, "-c", PROGRAM.format(call=call)], check=True, capture_output=True, text=True)
    found[name] = said.stdout.strip().replace(" inductor", ", inductor").replace(" its", ", its")
print("; ".join(f"{name}: {said}" for name, said in found.items()))
wanted = ["enabled True, inductor imported False, its flag False", "enabled True, inductor imported True, its flag True"]
sys.exit(list(found.values()) != wanted)
PY
