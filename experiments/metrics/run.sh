#!/usr/bin/env bash
# Builds an environment with the other libraries beside it and measures. Takes about ten minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")"
venv=${VENV:-.venv}
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch==2.13.0
  "$venv/bin/pip" install -q jax==0.10.2 jaxtyping torchmetrics==1.9.0 matplotlib kornia opencv-python-headless \
    numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 scikit-image==0.26.0 pillow
  # Without their dependencies: anomalib's metrics need none of what its training asks for.
  "$venv/bin/pip" install -q --no-deps anomalib==2.7.0 adeval==1.1.0
fi
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
root=$(cd ../.. && pwd)
commit=${COMMIT:-$(git -C "$root" rev-parse --verify -q HEAD || echo unknown)}
PYTHONPATH="$root" "$venv/bin/python" run.py --commit "$commit" ${DATA:+--data "$DATA"} "$@"
PYTHONPATH="$root" "$venv/bin/python" table.py
