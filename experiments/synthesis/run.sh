#!/usr/bin/env bash
# Builds an environment with imgaug beside adjax, measures (three minutes on two cores), and draws the contact sheet
# when KOLEKTOR names a folder of good images.
set -euo pipefail
cd "$(dirname "$0")"
venv=${VENV:-.venv}
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q jax==0.10.2 jaxtyping numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 pillow imageio \
    einops matplotlib "opencv-python-headless<5" six shapely elpv-dataset
  "$venv/bin/pip" install -q --no-deps imgaug==0.4.0  # asks for another build of OpenCV
fi
root=$(cd ../.. && pwd)
commit=${COMMIT:-$(git -C "$root" rev-parse --verify -q HEAD || echo unknown)}
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
"$venv/bin/python" run.py --commit "$commit" "$@"
"$venv/bin/python" table.py
if [ -n "${KOLEKTOR:-}" ]; then "$venv/bin/python" contact_sheet.py --kolektor "$KOLEKTOR"; fi
