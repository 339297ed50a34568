"""The baseline 'intensity' by itself, as a method without training.

python -m adjax.main --config=configs/intensity.py --config.data.root=DIR --workdir=runs/intensity
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "intensity"}
    config.data.dataset = "folder"
    config.fit.steps = {}
    config.baselines = ()
    return finish(config, mode)
