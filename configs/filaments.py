"""The filament benchmark, 60 good images to learn from and 40 to test on: a convolutional autoencoder.

python -m adjax.main --config=configs/filaments.py --config.data.options.filaments.level=L2 --workdir=runs/filaments
"""

from adjax.config import EVAL40, base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "conv_ae", "latent": 100, "width": 1.0, "loss": "ssim", "score": ""}
    config.data.dataset = "filaments"
    config.data.options.filaments = dict(EVAL40)
    config.data.stride = 128  # tiles that only touch: a fourth of the time of those that overlap by half
    # Chosen on normal validation images: after 150 steps on elpv_mono 0.099 is left of 1 - SSIM, at the published
    # constant 2e-4 0.116.
    config.optim.update(learning_rate=1e-3, schedule="cosine")
    config.fit.steps = {"train": 200}
    return finish(config, mode)
