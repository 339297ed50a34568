"""DDAD (denoising conditioned on the image) on images in MVTec AD's layout, by tiles of 128 px, compared in pixels.

python -m adjax.main --config=configs/ddad.py --config.data.root=DIR --workdir=runs/ddad
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    # Published are six levels of 64 to 256 features on single pixels.
    unet = {"features": (32, 64, 64), "blocks": 1, "attention": (16,), "heads": 2, "patch": 4}
    # Where small networks were best on planted defects (experiments/diffusion): AP 0.320 ± 0.015; 0.212 ± 0.004 from
    # the published step 250 with guidance 3. There, and from step 50, more calls than five add little.
    config.method = {"name": "ddad", "unet": unet, "top": 25, "calls": 5, "guidance": 11.0}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    config.fit.batch_size = 16
    return finish(config, mode)
