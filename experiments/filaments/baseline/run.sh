#!/usr/bin/env bash
# The first table of the filament benchmark: conv_ae with three losses beside two filters, on three levels, three seeds.
#   experiments/filaments/baseline/run.sh                    27 runs; generates 3 × 100 images first
#   MODE=test OUT=DIR experiments/filaments/baseline/run.sh  the same with tiny images and networks, to try it out
# SEEDS="0" and LEVELS="L2" cut it down; what is missing can follow later.
# Resumable: a finished run is not done again. Ends by writing results.json and the tables of README.md (of MODE=test
# into OUT instead). The filters learn nothing, and are measured once on each level.
set -euo pipefail
cd "$(dirname "$0")/../../.."
out="${OUT:-runs/filaments}"
for seed in ${SEEDS:-0 1 2}; do
  for level in ${LEVELS:-L1 L2 L3}; do
    for loss in l2 ssim msgms; do
      workdir="$out/$level-$loss-$seed"
      filters="('intensity', 'local_median')"
      [ "$loss-$seed" = l2-0 ] || filters="()"
      [ -f "$workdir/results.json" ] ||
        python -m adjax.main --config="configs/filaments.py${MODE:+:$MODE}" --config.data.options.filaments.level="$level" \
          --config.method.loss="$loss" --config.seed="$seed" --config.baselines="$filters" --workdir="$workdir"
    done
  done
done
python -m experiments.filaments.baseline.collect --runs="$out" ${MODE:+--out="$out"}
