"""A variational autoencoder; the map is how far gradient descent moves the image towards what it rebuilds well.

python -m adjax.main --config=configs/vae_projected.py --config.data.root=DIR --workdir=runs/vae_projected
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "vae", "latent": 100, "width": 1.0, "loss": "l2", "sigma": 0.1, "warmup": 50}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine")
    config.fit.steps = {"train": 300}
    # The published step is for images in [-1, 1]: four times as long in [0, 1].
    config.score.projected.update(steps=2 if mode == "test" else 50, rate=2.0)
    return finish(config, mode)
