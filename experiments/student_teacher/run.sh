#!/usr/bin/env bash
# Students of a teacher on the ELPV cells (128 px), labelled sets in MVTec AD's layout (256 px) and drawn filaments
# (1024 px in tiles of 256).
#   DATA=DIR [WEIGHTS=FILE] [METHODS="stfpm"] [SETS="elpv_mono"] experiments/student_teacher/run.sh [SEED ...]
# DIR holds kolektor_sdd/ and mvtec_hazelnut_reduced/; without it they are left out. FILE is efficient_ad's teacher, by
# experiments/distill_teacher; without it efficient_ad is left out. Resumable: a finished run is not done again. Ends by
# adding to results.json and writing the README's tables.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="${OUT:-runs/student_teacher}"
[ $# -gt 0 ] || set -- 0 1 2
for seed in "$@"; do
  for name in ${SETS:-elpv_mono elpv_poly kolektor_sdd mvtec_hazelnut_reduced filaments}; do
    case "$name" in
      elpv_* | filaments) root=() ;;
      *) [ -n "${DATA:-}" ] || continue; root=("--config.data.root=$DATA/$name") ;;
    esac
    for method in ${METHODS:-patchcore stfpm reverse_distillation ${WEIGHTS:+efficient_ad} students_33 students_17}; do
      case "$method-$name" in
        students_17-filaments) continue ;; # hours
        patchcore-filaments) ;;
        patchcore-*) continue ;; # in experiments/embedding
      esac
      weights=()
      [ "$method" != efficient_ad ] || weights=("--config.method.weights=${WEIGHTS:?}")
      folder="$out/$name-$method-$seed"
      [ -f "$folder/results.json" ] ||
        ${RUN:-} python -m adjax.main --config="experiments/student_teacher/recipe.py:$method@$name" \
          --config.seed="$seed" "${root[@]}" "${weights[@]}" --workdir="$folder"
    done
  done
done
python -m experiments.student_teacher.collect --runs="$out"
