"""EfficientAD on images in MVTec AD's layout, resized to 256 px, with a teacher that experiments/distill_teacher made.

python -m adjax.main --config=configs/efficient_ad.py --config.data.root=DIR --config.method.weights=FILE.npz
--config.data.penalty.source=folder --config.data.penalty.root=IMAGENET --workdir=runs/efficient_ad
Without a folder of natural images, procedural textures are the penalty's; --config.method.penalty=0 has none.
"""

from ml_collections.config_dict import placeholder

from adjax.backbones import RANDOM
from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "efficient_ad",
        "network": "pdn_small",
        "weights": placeholder(str),
        "hard": 0.999,
        "penalty": 1.0,
        "padding": False,
        "width": 1.0,
    }
    config.data.update(dataset="folder", size=256, tile=0, calibration=0.1)
    config.optim.update(learning_rate=1e-4, schedule="drop", weight_decay=1e-5)
    config.fit.update(steps={"teacher": 0, "train": 70000, "calibration": 0}, batch_size=1)
    config.score.rule = "max"
    if mode == "test":
        config.method.weights = RANDOM
    return finish(config, mode)
