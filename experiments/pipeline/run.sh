#!/usr/bin/env bash
# Rates against a thread pool (about two minutes on two quiet cores), then the wait for input in training, then the table.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONPATH=.
python experiments/pipeline/run.py "$@"
if [ -n "${DATA:-}" ]; then python experiments/pipeline/waits.py; fi
python experiments/pipeline/table.py
