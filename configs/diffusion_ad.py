"""After DiffusionAD, on images in MVTec AD's layout, scored by tiles of 128 px; textures are procedural unless given.

python -m adjax.main --config=configs/diffusion_ad.py --config.data.root=DIR --workdir=runs/diffusion_ad
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    # Published are six levels of 128 to 512 features on single pixels, and segmentation features that begin at 64.
    unet = {"features": (32, 64, 64), "blocks": 1, "attention": (16,), "heads": 2, "patch": 4}
    levels = (1, 2, 4, 8, 8, 8)
    config.method = {"name": "diffusion_ad", "unet": unet, "base": 4, "multiples": levels, "synthesis": "draem"}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    config.fit.batch_size = 16
    return finish(config, mode)
