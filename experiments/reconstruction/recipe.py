"""One recipe for a method at width `small` on one data set, as many updates as the budget pays for.

python -m adjax.main --config=experiments/reconstruction/recipe.py:draem@filaments --workdir=runs/draem
"""

import json
import pathlib

from adjax.config import EVAL40, base, finish
from adjax.types import UserError

BUDGET_S = 180  # processor seconds of a training, without compiling: about 3 minutes of one core
CALIBRATED = pathlib.Path(__file__).parent / "calibration.json"

LEVELS = (16, 32, 64, 128)
SMALL = {
    "conv_ae_l2": {"name": "conv_ae", "latent": 100, "width": 1.0, "loss": "l2"},
    "conv_ae_ssim": {"name": "conv_ae", "latent": 100, "width": 1.0, "loss": "ssim"},
    "conv_ae_msgms": {"name": "conv_ae", "latent": 100, "width": 1.0, "loss": "msgms + l2"},  # msgms sees no offset
    "vae": {"name": "vae", "latent": 100, "width": 1.0, "warmup": 50},
    "memae": {"name": "memae", "items": 500, "width": 0.5},
    "stain_ae": {"name": "stain_ae", "width": 0.5},
    "filtering_ae": {
        "name": "filtering_ae",
        "width": 0.5,
        "skips": False,  # this and what follows: as planted defects of validation images chose (choose.json)
        "noise": 0.05,
        "loss": "l2",
        "score": "msgms + l1",
    },
    "riad": {"name": "riad", "levels": LEVELS, "cells": (4, 8, 16), "window": 11},
    "inpainting": {"name": "inpainting", "hole": 16, "levels": LEVELS},
    "draem": {"name": "draem", "base": 4, "multiples": (1, 2, 4, 8, 8, 8), "window": 11},
}
FILAMENTS = {"dataset": "filaments", "stride": 128}
DATA = {  # what differs from the base; roots are given on the command line
    "filaments": FILAMENTS | {"options": {"filaments": dict(EVAL40)}},  # level L2
    "filaments_L1": FILAMENTS | {"options": {"filaments": dict(EVAL40, level="L1")}},
    "filaments_L3": FILAMENTS | {"options": {"filaments": dict(EVAL40, level="L3")}},
    "elpv_mono": {"dataset": "elpv", "category": "mono", "size": 128, "tile": 0},
    "elpv_poly": {"dataset": "elpv", "category": "poly", "size": 128, "tile": 0},
    "kolektor_sdd": {"dataset": "folder"},
    "crackforest_patches": {"dataset": "folder", "tile": 0},  # colour, 96 px
    "mvtec_hazelnut_reduced": {"dataset": "folder"},
}
SHAPES = dict.fromkeys(DATA, (128, 128, 1)) | {  # of what is learned from
    "crackforest_patches": (96, 96, 3),
    "mvtec_hazelnut_reduced": (128, 128, 3),
}
BATCH = 16


def get_config(mode=None):
    """`mode` is METHOD@DATA."""
    method, _, data = (mode or "").partition("@")
    for name, known in ((method, SMALL), (data, DATA)):
        if name not in known:
            raise UserError(f"unknown '{name}' in {mode}; choose METHOD@DATA with one from {', '.join(known)}")
    config = base()
    config.method = SMALL[method]
    config.data.update(DATA[data])
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.update(steps={"train": steps(method, data)}, batch_size=BATCH, save_every=100_000)
    config.baselines = ()
    return finish(config, None)


def steps(method: str, data: str) -> int:
    """How many updates the budget pays for, from the measured cost of one."""
    costs = json.loads(CALIBRATED.read_text())["cpu_s_per_step"]
    return max(1, int(BUDGET_S / costs[method]["x".join(map(str, SHAPES[data]))]))
