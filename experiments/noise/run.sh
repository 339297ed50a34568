#!/usr/bin/env bash
# Measures the noises beside opensimplex (numba) and the NumPy recipe, and draws the figures. About three minutes.
#   PYTHON=python experiments/noise/run.sh     PYTHON has adjax installed; the rivals go into PEERS, beside it
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
python=${PYTHON:-python}
export PEERS=${PEERS:-$root/.cache/noise-peers}
[ -d "$PEERS/numba" ] || "$python" -m pip install -q --no-deps --target "$PEERS" \
  opensimplex==0.4.5.1 numba==0.68.1 llvmlite==0.50.0 opencv-python-headless==5.0.0.93
commit=${COMMIT:-$(git rev-parse --verify -q HEAD || echo unknown)}
# The rivals' folder comes last, so that it shadows nothing.
run() { PYTHONPATH="$root:$PEERS" "$python" "$@"; }
run run.py --commit "$commit" "$@"
run figures.py
run table.py
