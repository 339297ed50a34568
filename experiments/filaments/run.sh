#!/bin/sh
# The release gates of the filament benchmark, the speed of rendering, the contact sheets, and README.md's tables.
# Can be stopped and started again: records of images are kept in runs/filaments. About 1 s per image.
set -e
cd "$(dirname "$0")"
for level in L2 L3 L4; do
    python gates.py --level="$level" --images="${IMAGES:-24}" --most="${MOST:-60}" --cache=../../runs/filaments --out="gates_$level.json"
done
python speed.py --out=speed.json
for optics in sem fluorescence; do
    python contact_sheet.py --level=L2 --optics="$optics" --out="contact_sheet_$optics.png"
done
python report.py
