#!/usr/bin/env bash
# conv_ae on the generated filaments, the ELPV cells and labelled sets in MVTec AD's layout: three seeds each.
#   DATA=DIR experiments/spine/run.sh     DIR holds kolektor_sdd/ and crackforest_patches/; without it they are left out
# Resumable: a finished run is not done again. Ends by writing results.json and the tables of the READMEs.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="${OUT:-runs/spine}"
for seed in 0 1 2; do
  for name in quickstart elpv_mono elpv_poly; do
    [ -f "$out/$name-$seed/results.json" ] ||
      python -m adjax.main --config="configs/$name.py" --config.seed="$seed" --workdir="$out/$name-$seed"
  done
  for name in kolektor_sdd crackforest_patches; do
    [ -z "${DATA:-}" ] || [ -f "$out/$name-$seed/results.json" ] ||
      python -m adjax.main --config="configs/$name.py" --config.data.root="$DATA/$name" --config.seed="$seed" \
        --workdir="$out/$name-$seed"
  done
done
python -m experiments.spine.collect --runs="$out"
