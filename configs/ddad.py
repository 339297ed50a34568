"""DDAD (denoising conditioned on the image) on images in MVTec AD's layout, by tiles of 128 px, compared in pixels.

python -m adjax.main --config=configs/ddad.py --config.data.root=DIR --workdir=runs/ddad
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    # Published are six levels of 64 to 256 features on single pixels.
    unet = {"features": (32, 64, 64), "blocks": 1, "attention": (16,), "heads": 2, "patch": 4}
    config.method = {"name": "ddad", "unet": unet, "top": 250, "calls": 5, "guidance": 3.0}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    config.fit.batch_size = 16
    return finish(config, mode)
