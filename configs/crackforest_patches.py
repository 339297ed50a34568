"""Road surface with cracks (CrackForest cut into 96 px patches, MVTec AD's layout): whole colour patches.

python -m adjax.main --config=configs/crackforest_patches.py --config.data.root=DIR --workdir=runs/crackforest_patches
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "conv_ae", "latent": 100, "width": 1.0, "loss": "ssim", "score": ""}
    config.data.update(dataset="folder", tile=0)
    config.fit.steps = {"train": 400}
    return finish(config, mode)
