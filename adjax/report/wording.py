"""Numbers and verdicts as words."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from adjax.report.cases import FITTING, Row, outcome

# Every metric: higher is better, 1 is perfect.
METRICS = {
    "image_auroc": ("Image AUROC", "chance that a defective image scores above a good one; 0.5 is guessing"),
    "image_ap": ("Image AP", "average precision when images are ranked by score"),
    "image_f1max": ("Image F1-max", "best F1 over all thresholds, chosen with the test labels (oracle)"),
    "pixel_auroc": ("Pixel AUROC", "Image AUROC, but over pixels; flattering where defects are small"),
    "pixel_ap": ("Pixel AP", "average precision over pixels"),
    "pixel_f1max": ("Pixel F1-max", "best F1 over pixels, chosen with the test labels (oracle)"),
    "aupro": ("AUPRO 0.3", "mean coverage of each defect region, up to 30 % false positive pixels"),
    "aupro_05": ("AUPRO 0.05", "AUPRO 0.3, but up to 5 % false positive pixels only"),
}
TIMING = {
    "fit_s": ("Learning", "s"),
    "input_wait_s": ("Waiting for data", "s"),
    "score_images_per_s": ("Scoring", "images/s"),
    "compile_s": ("Compilation", "s"),
    "peak_memory_mb": ("Peak memory", "MB"),
}
PARAMETERS = {"conformal": "alpha", "quantile": "q", "gaussian_tail": "p"}  # kinds of threshold that state a rate
DASH = "–"


def metric(value: float | None) -> str:
    """Three decimals, more where three would turn an imperfect value into 0 or 1."""
    if value is None:
        return DASH
    for decimals in range(3, 10):
        text = f"{value:.{decimals}f}"
        if float(text) not in (0.0, 1.0) or float(text) == value:
            return text
    return repr(value)


def fine_metric(value: float | None) -> str:
    """Three decimals, more where those would leave fewer than two significant digits."""
    if not value:
        return metric(value)
    return f"{value:.{max(3, 1 - math.floor(math.log10(value)))}f}"


def amount(value: float | None) -> str:
    """Four significant digits; large numbers in full."""
    if value is None or math.isnan(value):
        return DASH
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.3g} %"


def label(name: str) -> str:
    return METRICS[name][0] if name in METRICS else name.replace("_", " ")


def pooling(rule: str) -> str:
    """A rule of adjax.pooling, by which an image's score comes from its map."""
    if rule.startswith("top:"):
        return f"mean of the highest {percent(float(rule[4:]))} of its map"
    known = {"max": "maximum of its map", "mean": "mean of its map", "tile": "highest score of its tiles"}
    return known.get(rule, rule)


def listing(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def verdict(metrics: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """A tone (good, mixed, bad, plain) and a sentence: on how many metrics every baseline is beaten."""
    lost, brief, beaten = [], [], 0
    for name in METRICS:
        rivals = {key: values[name] for key, values in baselines.items() if values.get(name) is not None}
        if metrics.get(name) is None or not rivals:
            continue
        best = max(rivals, key=rivals.__getitem__)
        if metrics[name] > rivals[best]:
            beaten += 1
        else:
            brief.append(label(name))
            lost.append(f"{label(name)} ({metric(metrics[name])}; {best} {metric(rivals[best])})")
    total = beaten + len(lost)
    if not total:
        return "plain", "No baseline has been scored on these images, so the numbers stand alone."
    count = "the one metric" if total == 1 else f"all {total} metrics"
    if not lost:
        return "good", f"Better than every baseline on {count}."
    if not beaten:
        return "bad", f"Does not beat the baselines: no better on {count} that can be compared."
    words = listing(lost if len(lost) < 3 else brief)
    return "mixed", f"Better than every baseline on {beaten} of {total} metrics, but not on {words}."


def promise(threshold: Mapping[str, Any], *, pixel: bool = False) -> str:
    """What a threshold is and what it promises, in one sentence.

    The rate stands under `alpha`, or under `parameter`: alpha of conformal, q of quantile, p of gaussian_tail.
    """
    kind, n = threshold.get("kind"), threshold.get("n")
    alpha, name = _rate(threshold)
    start = "A pixel is marked when its anomaly is" if pixel else "An image is called defective when its score is"
    source = "held-out good images" if n is None else f"{n} held-out good image{'' if n == 1 else 's'}"
    means = _promise(kind, alpha, n, pixel)
    value = amount(threshold.get("value"))
    return f"{start} above {value}, a threshold of the kind {kind}{name} set on {source}; {means}."


def _rate(threshold: Mapping[str, Any]) -> tuple[float | None, str]:
    """The share of good images or pixels that the threshold allows for, and what the user set, in brackets."""
    alpha, parameter, kind = (threshold.get(key) for key in ("alpha", "parameter", "kind"))
    if alpha is None and parameter is not None and kind in PARAMETERS:
        alpha = 1 - parameter if kind == "quantile" else parameter
        return alpha, f" ({PARAMETERS[kind]} = {parameter:g})"
    return alpha, "" if alpha is None else f" (alpha = {alpha:g})"


def _promise(kind: str | None, alpha: float | None, n: int | None, pixel: bool) -> str:
    what = "the pixels of good images" if pixel else "good images"
    wrongly = "wrongly marked" if pixel else "wrongly called defective"
    if kind == "max" and n is not None:
        return f"it is the highest value among them, which at most 1 in {n + 1} good images like these exceeds"
    if alpha is None or kind not in PARAMETERS:
        return f"no rate of {what} above it is promised"
    if kind == "quantile":
        return f"about {percent(alpha)} of {what} are expected to be {wrongly}, without a guarantee"
    if kind == "gaussian_tail":
        return f"{percent(alpha)} of {what} are expected to be {wrongly} if the values are normally distributed"
    needed = math.ceil(1 / Fraction(str(alpha))) - 1  # as written in decimals: 0.05 needs 19, not 20
    if n is not None and n < needed:
        return f"but {n} are too few to promise alpha = {alpha:g}, which takes {needed}"
    return (
        f"it promises that at most {percent(alpha)} of {what} like these are {wrongly}, "
        "on average over the choice of the held-out images"
    )


def count_outcomes(rows: Iterable[Row]) -> Counter[str]:
    """How many test images had each outcome."""
    return Counter(outcome(row.label, row.decision) for row in rows if row.split not in FITTING)


def found_by_type(rows: Sequence[Row]) -> dict[str, str]:
    """Defect type -> "7 of 8" images found at the threshold; types without a decision are absent."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        if row.split not in FITTING and row.label == 1 and row.decision is not None:
            total = counts.setdefault(row.defect, [0, 0])
            total[0] += row.decision
            total[1] += 1
    return {defect: f"{hit} of {n}" for defect, (hit, n) in counts.items()}
