#!/bin/sh
# The release gates of the filament benchmark, the speed of rendering, the contact sheets, and README.md's tables.
# Can be stopped and started again: records of images are kept in runs/filaments. 1 to 2 s of one core per image.
set -e
cd "$(dirname "$0")"
gates() { # level, images per type, at most where figures are uncertain; seed 41 had no part in any choice
    python gates.py --level="$1" --images="$2" --most="$3" --seed=41 --cache=../../runs/filaments --out="gates_$1.json"
}
gates L2 "${IMAGES:-16}" "${MOST:-160}"
gates L3 "${MOST_L3:-16}" "${MOST_L3:-16}"
gates L4 "${MOST_L4:-14}" "${MOST_L4:-14}"
python speed.py --out=speed.json
for optics in sem fluorescence; do
    python contact_sheet.py --level=L2 --optics="$optics" --out="contact_sheet_$optics.png"
done
python report.py
