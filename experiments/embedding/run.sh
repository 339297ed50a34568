#!/usr/bin/env bash
# Methods on EfficientNet-Lite0's features, on the ELPV cells (128 px) and labelled sets in MVTec AD's layout (256 px).
#   DATA=DIR [METHODS="patchcore padim"] experiments/embedding/run.sh [SEED ...]
# DIR holds kolektor_sdd/ and mvtec_hazelnut_reduced/. All good learning images are learnt from: none are set aside, so
# there are no thresholds. Resumable: a finished run is not done again. Ends by adding to results.json and writing the
# tables of the READMEs.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="${OUT:-runs/embedding}"

run() { # name, method, arguments
  local folder="$out/$1-$2-$seed"
  [ -f "$folder/results.json" ] ||
    ${RUN:-} python -m adjax.main --config="configs/$2.py" --config.seed="$seed" --workdir="$folder" \
      --config.data.validation=0.0 --config.threshold.image= --config.threshold.pixel= --config.baselines='()' "${@:3}"
}

[ $# -gt 0 ] || set -- 0 1 2
for seed in "$@"; do
  for method in ${METHODS:-patchcore padim mahalanobis one_class similarity spade self_similarity}; do
    for cells in mono poly; do
      run "elpv_$cells" "$method" --config.data.dataset=elpv --config.data.category="$cells" --config.data.size=128
    done
    [ -n "${DATA:-}" ] || continue
    run kolektor_sdd "$method" --config.data.root="$DATA/kolektor_sdd"
    more=()
    [ "$method" = patchcore ] && more=(--config.method.ratio=0.1)
    run mvtec_hazelnut_reduced "$method" --config.data.root="$DATA/mvtec_hazelnut_reduced" "${more[@]}"
  done
done
python -m experiments.embedding.collect --runs="$out"
