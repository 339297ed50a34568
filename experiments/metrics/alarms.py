"""How often conformal thresholds raise false alarms on new good images."""

import math

import numpy as np

from adjax import threshold

ALPHAS = (0.01, 0.05, 0.1)


def coverage(trials, seed):
    """Per trial: n good images to fit on and 1 new one. The rate is the mean over trials of (alarm or marked share)."""
    rng = np.random.default_rng(seed)
    rows = []
    for alpha in ALPHAS:
        fewest = math.ceil(round(1 / alpha, 9)) - 1
        for n in (fewest, 100 + fewest):
            for kind in ("image", "image, scores rounded to 0.5", "pixel"):
                alarms = np.array([_trial(kind, n, alpha, rng) for _ in range(trials)])
                row = {"alpha": alpha, "images": n, "kind": kind, "rate": float(alarms.mean())}
                rows.append({**row, "standard_error": float(alarms.std() / math.sqrt(trials))})
    return {"trials": trials, "rows": rows}


def _trial(kind, n, alpha, rng):
    """Heavy-tailed image scores; maps of 8 x 8 whose pixels share their image's level, so that they depend."""
    if kind == "pixel":
        scores = rng.standard_t(3, size=(n + 1, 1, 1)) + 0.5 * rng.normal(size=(n + 1, 8, 8))
    else:
        scores = rng.standard_t(3, size=n + 1)
        scores = np.round(2 * scores) / 2 if "rounded" in kind else scores
    fitted = threshold.fit("conformal", scores[:n], alpha=alpha)
    return np.mean(threshold.decide(fitted, scores[n]))
