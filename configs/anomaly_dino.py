"""AnomalyDINO on images in MVTec AD's layout, resized to 448 px; patches of DINOv2's ViT-S/14.

Needs its weights: the first run without them says which file to download, and where to put it.
python -m adjax.main --config=configs/anomaly_dino.py --config.data.root=DIR --workdir=runs/anomaly_dino

With few good images, remember rotations of them: --config.method.rotations=8. For single objects on a background of its
own: --config.method.masked=True.
"""

from adjax.backbones import RANDOM
from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "anomaly_dino",
        "backbone": "dinov2_vits14",
        "layers": ("norm",),
        "weights": RANDOM if mode == "test" else None,
        "rotations": 1,
        "masked": False,
        "neighbours": 1,
        "memory_mb": 1024.0,  # for the patches to remember
        "sigma": 4.0,
    }
    config.data.update(dataset="folder", size=448, tile=0)
    config.fit.update(steps={"train": 0}, batch_size=4)  # one pass
    config.score.rule = "top:0.01"
    return finish(config, mode)
