#!/bin/sh
# The release gates of the filament benchmark, and the contact sheets. About 2 s per image and core.
set -e
cd "$(dirname "$0")"
for level in L2 L3 L4; do
    python gates.py --level="$level" --images="${IMAGES:-30}" --out="gates_$level.json" | tee "gates_$level.md"
done
for optics in sem fluorescence; do
    python contact_sheet.py --level=L2 --optics="$optics" --out="contact_sheet_$optics.png"
done
