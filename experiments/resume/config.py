"""Small, with as many checkpoints as steps allow, so that a kill meets them often."""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "two_phase", "latent": 16, "width": 0.5, "loss": "l2"}
    config.data.update(dataset="folder", calibration=0.2, validation=0.2, tile=32, stride=32)
    config.fit = {"steps": {"train": 40, "calibrate": 20}, "batch_size": 4, "log_every": 5, "save_every": 1}
    config.score.update(batch_size=4, rule="max")
    config.threshold.image = "max"
    config.baselines = ()
    return finish(config, mode)
