#!/usr/bin/env bash
# Methods on EfficientNet-Lite0's features, on the ELPV cells (128 px) and labelled sets in MVTec AD's layout (256 px;
# patches of CrackForest in their own 96 px, in colour).
#   DATA=DIR [METHODS="patchcore padim"] [SETS="kolektor_sdd"] experiments/embedding/run.sh [SEED ...]
# DIR holds kolektor_sdd/, mvtec_hazelnut_reduced/ and crackforest_patches/. All good learning images are learnt from:
# none are set aside, so there are no thresholds. Resumable: a finished run is not done again. Ends by adding to
# results.json and writing the tables of the READMEs.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="${OUT:-runs/embedding}"
one_class="one_class_knn one_class_lof one_class_kde one_class_forest"
methods="${METHODS:-patchcore patchcore_chosen patchcore_bfloat16 padim mahalanobis one_class $one_class colour_forest ae_kde similarity spade
  anomaly_dino_lite0 self_similarity reconpatch}"
sets="${SETS:-elpv_mono elpv_poly kolektor_sdd mvtec_hazelnut_reduced crackforest_patches}"

run() { # set, row of the table, recipe, arguments
  local folder="$out/$1-$2-$seed"
  [ -f "$folder/results.json" ] ||
    ${RUN:-} python -m adjax.main --config="configs/$3.py" --config.seed="$seed" --workdir="$folder" \
      --config.data.validation=0.0 --config.threshold.image= --config.threshold.pixel= --config.baselines='()' "${@:4}"
}

[ $# -gt 0 ] || set -- 0 1 2
for seed in "$@"; do
  for method in $methods; do
    for set in $sets; do
      recipe="$method" more=()
      case "$set" in
        elpv_*) more=(--config.data.dataset=elpv --config.data.category="${set#elpv_}" --config.data.size=128) ;;
        crackforest_patches) more=(--config.data.root="${DATA:-}/$set" --config.data.size=96) ;;
        *) more=(--config.data.root="${DATA:-}/$set") ;;
      esac
      case "$set" in elpv_*) ;; *) [ -n "${DATA:-}" ] || continue ;; esac
      case "$method" in
        patchcore_bfloat16) # what the network computes in; on images that are large or many enough to tell
          recipe=patchcore more+=(--config.method.precision=bfloat16)
          case "$set" in elpv_* | kolektor_sdd) ;; *) continue ;; esac ;;
        patchcore_chosen) # by choose.py: the same for all sets, and twice their side; of 150,000 patches at random
          recipe=patchcore more+=(--config.method.memory_mb=200.0 --config.method.layers='("stage2", "stage3", "stage5")' --config.score.rule=top:0.01)
          case "$set" in
            elpv_*) more+=(--config.data.size=256) ;;
            crackforest_patches) more+=(--config.data.size=192) ;;
            *) more+=(--config.data.size=512) ;;
          esac ;;
        one_class_*) recipe=one_class more+=(--config.method.model="${method#one_class_}") ;;
        anomaly_dino_lite0) # the method with another network than the paper's, whose weights have to be downloaded
          recipe=anomaly_dino more+=(--config.method.backbone=efficientnet_lite0 --config.method.layers='("stage3", "stage5")')
          case "$set" in kolektor_sdd | mvtec_hazelnut_reduced) more+=(--config.data.size=256) ;; esac ;;
        ae_kde) case "$set" in crackforest_patches) more+=(--config.data.size=128) ;; esac ;;
        colour_forest) case "$set" in mvtec_hazelnut_reduced | crackforest_patches) ;; *) continue ;; esac ;; # others: grey
      esac
      [ "$method $set" = "patchcore mvtec_hazelnut_reduced" ] && more+=(--config.method.ratio=0.1)
      run "$set" "$method" "$recipe" "${more[@]}"
    done
  done
done
python -m experiments.embedding.collect --runs="$out"
