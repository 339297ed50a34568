"""A variational autoencoder on your own good images (MVTec AD's layout, or just a folder).

python -m adjax.main --config=configs/vae.py --config.data.root=DIR --workdir=runs/vae
python -m adjax.main --config=configs/vae.py --config.data.root=DIR --workdir=runs/vae --config.method.score=attention
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {
        "name": "vae",
        "latent": 100,
        "width": 1.0,
        "spatial": False,  # one code per image, or one at every place of the encoder's last layer
        "loss": "l2",
        "sigma": 0.1,  # of the pixel likelihood, in units of the image's range
        "beta": 1.0,
        "warmup": 50,  # updates in which beta rises
        "attention": 0.0,  # weight of the attention expansion
        "score": "reconstruction",  # or elbo, kl, gradient, attention ...: methods/variational.py
        "samples": 0,
        "layer": 4,
    }
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine")
    config.fit.steps = {"train": 300}
    return finish(config, mode)
