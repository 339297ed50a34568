"""Writes published.json: values of the PyPI package opensimplex 0.4.5.1, seed 3, and its shuffled table.

pip install opensimplex==0.4.5.1 && python tests/noise/draw_published.py
"""

import json
import pathlib

import numpy as np
import opensimplex

SEED = 3

source = opensimplex.OpenSimplex(SEED)
rng = np.random.default_rng(0)
threes = rng.integers(-2048, 2048, (48, 3)) / 128
twos = rng.integers(-2048, 2048, (48, 2)) / 128
found = {
    "source": "PyPI opensimplex 0.4.5.1, OpenSimplex(3).noise2 and .noise3",
    "table": [int(n) for n in source._perm],
    "noise2": [[*map(float, p), round(float(source.noise2(*p)), 7)] for p in twos],
    "noise3": [[*map(float, p), round(float(source.noise3(*p)), 7)] for p in threes],
}
lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
pathlib.Path(__file__).with_name("published.json").write_text("{" + lines + "}\n")
