#!/usr/bin/env bash
# Diffusion: calls of the network against what they find, simplex against Gaussian noise, a contact sheet, memory.
#   DATA=DIR experiments/diffusion/run.sh      DIR holds kolektor_sdd/, crackforest_patches/ and mvtec_hazelnut_reduced/;
#   MODE=test: a little of all
# Resumable: a finished piece is not done again. SECONDS_LEFT=480 begins no piece after so many seconds. A machine
# without TensorFlow needs only the middle line, and runs/diffusion/data from another.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="${OUT:-runs/diffusion${MODE:+-$MODE}}"
python -m experiments.diffusion.prepare --root="$DATA" --out=runs/diffusion/data
python -m experiments.diffusion.measure --data=runs/diffusion/data --out="$out" --seconds="${SECONDS_LEFT:-inf}"
[ "${MODE:-}" = test ] || python -m experiments.diffusion.collect --runs="$out"
