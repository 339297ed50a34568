#!/usr/bin/env bash
# Lint and tests, as the README calls them.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
python -m pytest -n 2 --dist loadgroup "$@"
