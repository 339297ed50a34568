"""The baseline 'local_median' by itself, as a method without training.

python -m adjax.main --config=configs/local_median.py --config.data.root=DIR --workdir=runs/local_median
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    config.method = {"name": "local_median"}
    config.data.dataset = "folder"
    config.fit.steps = {}
    config.baselines = ()
    return finish(config, mode)
