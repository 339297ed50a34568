"""Completion of moving holes by partial convolutions on images in MVTec AD's layout, scored by tiles of 128 px.

python -m adjax.main --config=configs/inpainting.py --config.data.root=DIR --workdir=runs/inpainting
"""

from adjax.config import base, finish


def get_config(mode=None):
    config = base()
    # A quarter of the published features. A hole is wider than a thin crack; a wide defect wants a wider one.
    config.method = {"name": "inpainting", "hole": 16, "overlap": 1, "levels": (16, 32, 64, 128), "score": "l1"}
    config.data.dataset = "folder"
    config.optim.update(learning_rate=1e-3, schedule="cosine", weight_decay=0.0)
    config.fit.steps = {"train": 300}
    config.fit.batch_size = 16
    return finish(config, mode)
