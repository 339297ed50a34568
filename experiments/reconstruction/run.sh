#!/usr/bin/env bash
# The reconstruction methods at width `small` on six data sets, three seeds, an equal budget of processor time each.
#   DATA=DIR experiments/reconstruction/run.sh
# DIR holds kolektor_sdd/, crackforest_patches/ and mvtec_hazelnut_reduced/; without it they are left out. METHODS,
# SETS (also filaments_L1 and filaments_L3) and SEEDS choose a part of the table; further arguments go to every run.
# Resumable: a finished run is not done again, and a run that fails is named while the others go on. Ends by writing
# results.json and README.md's tables.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="${OUT:-runs/reconstruction}"
methods="${METHODS:-conv_ae_l2 conv_ae_ssim conv_ae_msgms vae memae stain_ae filtering_ae riad inpainting draem}"
sets="${SETS:-filaments elpv_mono elpv_poly kolektor_sdd crackforest_patches mvtec_hazelnut_reduced}"
failed=""
for seed in ${SEEDS:-0 1 2}; do
  for name in $sets; do
    case "$name" in
      filaments* | elpv_*) root=() ;;
      *) [ -n "${DATA:-}" ] || continue; root=("--config.data.root=$DATA/$name") ;;
    esac
    for method in $methods; do
      work="$out/$method@$name-$seed"
      [ -f "$work/results.json" ] || python -m adjax.main \
        --config="experiments/reconstruction/recipe.py:$method@$name" ${root[@]+"${root[@]}"} \
        --config.seed="$seed" --workdir="$work" "$@" || failed="$failed $work"
    done
  done
done
python -m experiments.reconstruction.collect --runs="$out"
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
