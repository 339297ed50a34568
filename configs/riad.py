"""Reconstruction by inpainting (RIAD) on images in MVTec AD's layout, scored by tiles of 128 px.

python -m adjax.main --config=configs/riad.py --config.data.root=DIR --workdir=runs/riad
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    # A quarter of the published features and four levels of five; no cells of 2 px, which hide nothing.
    config.method = {"name": "riad", "levels": (16, 32, 64, 128), "cells": (4, 8, 16), "drawn": 1, "window": 11}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    config.fit.batch_size = 16
    return finish(config, mode)
