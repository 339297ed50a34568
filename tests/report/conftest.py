"""A small complete evaluation to write reports from."""

import numpy as np
import pytest

from adjax.report.cases import Case

RESULTS = {
    "dataset": "filaments",
    "category": "light",
    "method": "conv_ae",
    "seed": 3,
    "image_size": [64, 96],
    "n_train": 24,
    "n_test": 12,
    "metrics": {
        "image_auroc": 0.9312,
        "image_ap": 0.8451,
        "image_f1max": 0.7777,
        "pixel_auroc": 0.99964,
        "pixel_ap": 0.4141,
        "pixel_f1max": None,
        "aupro": 0.7123,
        "aupro_05": None,
    },
    "reasons": {"pixel_f1max": "masks <b>missing</b>", "aupro_05": "no good pixels"},
    "per_defect": {
        "texture": {"n": 4, "image_auroc": 0.6543, "aupro": None},
        "pattern": {"n": 4, "image_auroc": 0.8765, "aupro": 0.5555},
    },
    "baselines": {
        "intensity": {"image_auroc": 0.6161, "image_ap": 0.3232, "aupro": 0.8181, "pixel_f1max": None},
        "local_median": {"image_auroc": 0.8282, "image_ap": 0.5353, "aupro": 0.4242, "pixel_f1max": 0.2929},
    },
    "threshold": {
        "image": {"kind": "conformal", "value": 0.5125, "alpha": 0.1, "n": 19},
        "pixel": {"kind": "quantile", "value": 0.375, "alpha": 0.01, "n": 19},
        "realised": {"false_alarm_rate": 0.25, "recall": 0.875},
        "oracle": {"image": 0.4747, "pixel": {"value": 0.3838}},
    },
    "timing": {"fit_s": 123.4, "score_images_per_s": 24.12, "compile_s": None, "peak_memory_mb": 18342.0},
    "versions": {"jax": "0.10.2", "python": "3.11.9"},
    "command": "python -m adjax.main --config=configs/quickstart.py --workdir=out",
    "notes": ["does not beat the intensity baseline on aupro"],
}


def make_case(i: int, label: int, defect: str, score: float, decision: bool | None) -> Case:
    rng = np.random.default_rng(i)
    image = rng.random((64, 96, 1), np.float32)
    mask = np.zeros((64, 96), bool)
    mask[10 + i : 30 + i, 20:40] = True
    anomaly = (0.2 * rng.random((64, 96)) + 0.6 * label * mask).astype(np.float32)
    return Case(
        f"test/{defect}/{i:03d}.png",
        label,
        defect,
        score,
        decision,
        image,
        mask if label == 1 else None,
        anomaly,
    )


@pytest.fixture
def evaluation() -> dict:
    """Arguments of write_report: 4 good and 8 defective test images, 5 held-out ones, 1 miss, 1 false alarm."""
    cases = []
    for i in range(12):
        label, defect = int(i >= 4), ("good" if i < 4 else ("texture", "pattern")[i % 2])
        score = 0.11 * i + (0.5 if i == 3 else 0)
        cases.append(make_case(i, label, defect, score, score > 0.5125))
    rows = [
        {
            "id": c.id,
            "path": f"/d/{c.id}",
            "split": "test",
            "label": c.label,
            "defect": c.defect,
            "score": c.score,
        }
        | {"threshold": 0.5125, "decision": c.decision}
        for c in cases
    ]
    rows += [
        {
            "id": f"train/good/{i}.png",
            "path": "",
            "split": "validation",
            "label": 0,
            "defect": "good",
            "score": 0.1 * i,
        }
        | {"threshold": 0.5125, "decision": False}
        for i in range(5)
    ]
    x = np.linspace(0, 1, 30)
    return {
        "results": RESULTS,
        "curves": {"roc": (x, x**0.2), "pr": (x, 1 - 0.3 * x), "pro": (0.3 * x, x**0.5)},
        "rows": rows,
        "cases": cases,
        "history": {"loss/total": [(s, 2.0 / (1 + s)) for s in range(0, 3000, 3)], "loss/l2": [(0, 1.0)]},
        "config": {"seed": 3, "data": {"name": "filaments", "tile": 64}},
    }
