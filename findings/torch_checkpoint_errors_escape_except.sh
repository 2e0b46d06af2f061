#!/usr/bin/env bash
# An error of torch's distributed checkpoints passes by `except Exception`.
#
# Where: torch 2.13.0, `torch.distributed.checkpoint.load` in one process.
# Guess before the run: a checkpoint that lacks a name of the state raises a RuntimeError or KeyError, as
#   `load_state_dict` does, so that `except Exception` catches it and falls back.
# Behaviour: whatever a rank raises arrives as `CheckpointException`, whose base is BaseException and not Exception. A
#   program that falls back on `except Exception` (start anew, read an older file, log and go on) ends instead, as if it
#   had been interrupted; `except RuntimeError` does not catch it either. The cause is in `failures`, by rank.
# Why it matters: resuming from a checkpoint of an earlier shape of the model is the usual reason for such a fallback.
# Output seen: "except Exception: no; CheckpointException, base BaseException; cause RuntimeError".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.13.0 numpy
"$folder/env/bin/python" -W ignore - "$folder/state" <<'PY'
import sys

import torch
import torch.distributed.checkpoint as checkpoint

checkpoint.save({"weight": torch.ones(2)}, checkpoint_id=sys.argv[1])
try:
    checkpoint.load({"weight": torch.zeros(2), "bias": torch.zeros(2)}, checkpoint_id=sys.argv[1])
    said = "no error"
except Exception as error:
    said = f"except Exception: yes; {type(error).__name__}"
except BaseException as error:
    kind = type(error)
    said = f"except Exception: no; {kind.__name__}, base {kind.__base__.__name__}; "
    said += f"cause {type(error.failures[0][0]).__name__}"
print(said)
sys.exit(said != "except Exception: no; CheckpointException, base BaseException; cause RuntimeError")
PY
