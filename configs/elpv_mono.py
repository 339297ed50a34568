"""Solar cells, monocrystalline (elpv-dataset): train on good cells only, labels by image.

pip install "elpv-dataset"
python -m adjax.main --config=configs/elpv_mono.py --workdir=runs/elpv_mono
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "conv_ae", "latent": 100, "width": 1.0, "loss": "ssim", "score": ""}
    config.data.update(dataset="elpv", category="mono", size=128, tile=0)
    # Chosen on normal validation images: after 150 steps on elpv_mono 0.099 is left of 1 - SSIM, at the published
    # constant 2e-4 0.116.
    config.optim.update(learning_rate=1e-3, schedule="cosine")
    config.fit.steps = {"train": 300}
    return finish(config, mode)
