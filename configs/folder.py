"""Your own images: MVTec AD's layout, or just a folder of good ones; or a data set of the field (adjax.data.DATASETS).

python -m adjax.main --config=configs/folder.py --config.data.root=DIR --workdir=runs/mine
python -m adjax.main --mode=predict --input=NEW_IMAGES --workdir=runs/mine
python -m adjax.main --config=configs/folder.py --config.data.root=DIR --config.data.dataset=visa \\
    --config.data.category=candle,pcb1 --workdir=runs/visa
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "conv_ae", "latent": 100, "width": 1.0, "loss": "ssim", "score": ""}
    config.data.dataset = "folder"
    # Chosen on normal validation images: after 150 steps on elpv_mono 0.099 is left of 1 - SSIM, at the published
    # constant 2e-4 0.116.
    config.optim.update(learning_rate=1e-3, schedule="cosine")
    config.fit.steps = {"train": 300}
    return finish(config, mode)
