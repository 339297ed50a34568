"""A spatial variational autoencoder that learns to attend to all of a normal image, after CAVGA (no adversary).

python -m adjax.main --config=configs/vae_attention.py --config.data.root=DIR --workdir=runs/vae_attention
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "vae",
        "latent": 16,  # at each place of the last layer
        "width": 1.0,
        "spatial": True,
        "loss": "l2",
        "sigma": 0.1,
        "warmup": 50,
        "attention": 1.0,
        "layer": -1,
        "score": "inattention",
    }
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine")
    config.fit.steps = {"train": 300}
    return finish(config, mode)
