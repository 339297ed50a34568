"""One recipe for a student of a teacher on one data set, with few updates: what fits into minutes of two cores.

python -m adjax.main --config=experiments/student_teacher/recipe.py:stfpm@elpv_mono --workdir=runs/stfpm

All good images are learned from, but a tenth of them for the calibration of uninformed_students and efficient_ad; there
are no thresholds. The features are EfficientNet-Lite0's, efficient_ad's teacher is a file's. STFPM sees ELPV's mono
cells 5 times, in batches of 32; other numbers of updates were chosen by what they cost, never by a score.
"""

from ml_collections.config_dict import placeholder

from adjax.config import EVAL40, base, finish
from adjax.types import UserError

LAYERS = ("stage2", "stage3", "stage5")
PATCHES = {"name": "uninformed_students", "crops_of": ("image", "texture"), "crops": 32, "region_side": 32, "stride": 4}
METHODS = {
    # On filaments; what experiments/embedding has measured is not run again.
    "patchcore": {"name": "patchcore", "layers": ("stage3", "stage5"), "ratio": 0.001},
    "stfpm": {"name": "stfpm", "layers": LAYERS},
    "reverse_distillation": {"name": "reverse_distillation", "layers": LAYERS},
    "efficient_ad": {"name": "efficient_ad", "weights": placeholder(str)},  # a teacher's file, on the command line
    # Resized to 2 to 8 patches of 33 px a side, images of 128 and 256 px come in about their own size, too.
    "students_33": PATCHES | {"sizes": (33,), "sides": (2.0, 8.0)},
    "students_17": PATCHES | {"sizes": (17,), "sides": (4.0, 16.0)},
    "students_65": PATCHES | {"sizes": (65,), "sides": (1.0, 4.0)},
}
ELPV = {"dataset": "elpv", "size": 128}
DATA = {  # roots are given on the command line
    "elpv_mono": ELPV | {"category": "mono"},
    "elpv_poly": ELPV | {"category": "poly"},
    "kolektor_sdd": {"dataset": "folder", "size": 256},
    "mvtec_hazelnut_reduced": {"dataset": "folder", "size": 256},
    "filaments": {"dataset": "filaments", "tile": 256, "stride": 192, "options": {"filaments": dict(EVAL40)}},
}
UPDATES = {"elpv_mono": 55, "elpv_poly": 90, "kolektor_sdd": 60, "mvtec_hazelnut_reduced": 60, "filaments": 60}
BATCH = {"elpv_mono": 32, "elpv_poly": 32, "kolektor_sdd": 8, "mvtec_hazelnut_reduced": 8, "filaments": 8}
TEACHER, STUDENTS, EFFICIENT = 150, 150, 300
ONCE = ("students_65",)  # costly: measured where asked for, not on every set


def too_long(method: str, data: str) -> bool:
    """Whether scoring alone is hours: 5 x 5 kernels at every pixel of 40 images of a megapixel."""
    return data == "filaments" and method == "students_17"


def get_config(mode=None):
    """`mode` is METHOD@DATA."""
    method, _, data = (mode or "").partition("@")
    for name, known in ((method, METHODS), (data, DATA)):
        if name not in known:
            raise UserError(f"unknown '{name}' in {mode}; choose METHOD@DATA with one from {', '.join(known)}")
    config = base()
    config.method = METHODS[method]
    config.data.update({"tile": 0, "validation": 0.0} | DATA[data])
    config.fit.update(steps={"train": UPDATES[data]}, batch_size=BATCH[data])
    if method == "stfpm":
        config.optim.update(name="sgd", learning_rate=0.4, weight_decay=1e-4)
    elif method == "reverse_distillation":
        config.optim.update(learning_rate=0.005, weight_decay=0.0, momentum=0.5)
    elif method == "patchcore":
        config.fit.steps = {"train": 0}  # one pass
    elif method == "efficient_ad":
        config.data.calibration = 0.1
        config.optim.update(learning_rate=1e-4, schedule="drop", weight_decay=1e-5)
        config.fit.update(steps={"teacher": 0, "train": EFFICIENT, "calibration": 0}, batch_size=1)
    else:
        config.data.calibration = 0.1
        config.optim.update(learning_rate=5e-4, weight_decay=1e-5)
        steps = {"teacher": TEACHER, "statistics": 0, "train": STUDENTS, "calibration": 0}
        config.fit.update(steps=steps, batch_size=4)
    config.fit.save_every = 100_000
    config.score.rule = "max"
    config.threshold.update(image="", pixel="")
    config.baselines = ()
    return finish(config, None)
