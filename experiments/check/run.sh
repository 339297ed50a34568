#!/usr/bin/env bash
# The checker on three labelled sets in MVTec AD's layout.
#   DATA=DIR experiments/check/run.sh     DIR holds kolektor_sdd/, mvtec_hazelnut_reduced/ and crackforest_patches/
# Writes its reports beside this script and the contact sheets, which show others' photographs, to runs/check.
set -euo pipefail
cd "$(dirname "$0")/../.."
for name in kolektor_sdd mvtec_hazelnut_reduced crackforest_patches; do
  python -m adjax.data.check --dataset=folder --root="$DATA/$name" --out="runs/check/$name" \
    > "experiments/check/$name.txt" 2> /dev/null
done
