"""The figures of the page as inline SVG, sized for a phone's width and scaled up from there."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from adjax.report.cases import FITTING, Row
from adjax.report.wording import amount, metric

INK, FAINT = "#1f2933", "#9aa5b1"
GOOD, DEFECTIVE, UNKNOWN, METHOD = "#2b6cb0", "#c05621", "#5a6775", "#276749"
SERIES = ("#276749", "#2b6cb0", "#c05621", "#6b46c1", "#b7791f", "#b83280", "#0987a0", "#4a5568")
POINTS = 400  # per line; more cannot be seen
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold dollar signs
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
CURVES = {  # metric, title, area's name, axes
    "roc": ("image_auroc", "ROC of images", "AUROC", "good images called defective", "defective images found"),
    "pr": ("image_ap", "Precision and recall", "AP", "recall: defective images found", "precision"),
    "pro": ("aupro", "Region overlap", "AUPRO", "good pixels marked", "part of a defect covered, mean"),
}
Curve = tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]


def draw_curve(kind: str, curve: Curve, results: Mapping[str, Any], prevalence: float | None) -> Markup:
    """One of roc, pr, pro beside what guessing would give; the ROC also with the point of the threshold."""
    name, title, area, x_label, y_label = CURVES[kind]
    value = (results.get("metrics") or {}).get(name)
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(3.5, 3.1)
        x, y = (np.asarray(part, np.float64) for part in curve)
        if len(x) and x[0] > x[-1]:
            x, y = x[::-1], y[::-1]
        limit = 0.3 if kind == "pro" else 1.0
        if kind == "pr":
            if prevalence is not None:
                axes.axhline(prevalence, color=FAINT, linestyle="--", linewidth=1, label="guessing")
            axes.plot(*thin(x, y), color=METHOD, drawstyle="steps-pre")
        else:
            axes.plot((0, 1), (0, 1), color=FAINT, linestyle="--", linewidth=1, label="guessing")
            axes.plot(*thin(x, y), color=METHOD)
        realised = (results.get("threshold") or {}).get("realised") or {}
        point = (realised.get("false_alarm_rate"), realised.get("recall"))
        if kind == "roc" and None not in point:
            axes.plot(*point, "o", color=DEFECTIVE, label="the threshold in use", clip_on=False, zorder=3)
        margin = 0.02 * limit
        axes.set(xlim=(-margin, limit + margin), ylim=(-0.02, 1.02), xlabel=x_label, ylabel=y_label)
        axes.set_title(title if value is None else f"{title}: {area} {metric(value)}", loc="left", color=INK)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left" if kind == "pr" else "lower right")
        return _svg(figure, kind)


def draw_histogram(rows: Sequence[Row], threshold: float | None) -> Markup:
    """Scores by what the images are; a logarithmic axis where the largest would crush the others."""
    tested = [r for r in rows if r.split not in FITTING]
    groups = [("good", GOOD, 0), ("defective", DEFECTIVE, 1), ("without a label", UNKNOWN, -1)]
    groups = [(name, hue, _scores(r for r in tested if r.label == label)) for name, hue, label in groups]
    held_out = _scores(r for r in rows if r.split == "validation")
    limits = [] if threshold is None else [threshold]
    edges, logarithmic = bin_edges(np.concatenate([held_out, limits, *(values for *_, values in groups)]))
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(5.2, 3.1)
        for name, hue, values in groups:
            if len(values):
                label = f"{name} ({len(values)})"
                axes.hist(values, edges, color=hue, alpha=0.55, edgecolor="white", label=label)
                ticks = np.unique(values)[:: 1 + len(values) // 2000]
                axes.plot(ticks, np.zeros_like(ticks), "|", color=hue, markersize=9, clip_on=False)
        if len(held_out):
            label = f"good, held out to set the threshold ({len(held_out)})"
            axes.hist(held_out, edges, histtype="step", edgecolor=FAINT, linewidth=1.5, label=label)
        if threshold is not None:
            label = f"threshold {amount(threshold)}"
            axes.axvline(threshold, color=INK, linestyle="--", linewidth=1.2, label=label)
        if logarithmic:
            axes.set_xscale("log")
            _write_powers(axes.xaxis)
        axes.set(xlabel="score (logarithmic)" if logarithmic else "score", ylabel="images")
        axes.yaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside upper center", ncols=2)
        return _svg(figure, "histogram")


def _scores(rows: Iterable[Row]) -> Float[np.ndarray, "n"]:
    values = np.array([row.score for row in rows], np.float64)
    return values[np.isfinite(values)]


def bin_edges(values: Float[np.ndarray, "n"]) -> tuple[Float[np.ndarray, "m"], bool]:
    """Edges of 30 bins, and whether they are spaced by ratio."""
    if not len(values):
        return np.linspace(0, 1, 31), False
    low, high = values.min(), values.max()
    if low > 0 and high > 30 * np.median(values):
        return np.geomspace(low * 0.999, high * 1.001, 31), True
    pad = 0.01 * (high - low) or 0.5 * abs(high) or 0.5
    return np.linspace(low - pad, high + pad, 31), False


def draw_history(history: Mapping[str, Sequence[tuple[int, float]]]) -> Markup | None:
    """Every logged loss by step; None where nothing was trained."""
    lines = {name: np.array(points, np.float64).reshape(-1, 2) for name, points in history.items()}
    lines = {name: points[np.isfinite(points[:, 1])] for name, points in lines.items()}
    lines = {name: average(points) for name, points in lines.items() if len(points)}
    if not lines:
        return None
    values = np.concatenate([points[:, 1] for points in lines.values()])
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(5.2, 3.1)
        handles = []
        for i, points in enumerate(lines.values()):
            dashes = ("-", "--", ":", "-.")[i // len(SERIES) % 4]
            marker = "o" if len(points) == 1 else ""
            hue = SERIES[i % len(SERIES)]
            handles += axes.plot(*points.T, dashes, marker=marker, color=hue, linewidth=1.4)
        logarithmic = values.min() > 0 and values.max() > 20 * values.min()
        if logarithmic:
            axes.set_yscale("log")
            _write_powers(axes.yaxis)
        axes.set(xlabel="step", ylabel="loss (logarithmic)" if logarithmic else "loss")
        names = [name.lstrip("_") or "loss" for name in lines]  # a leading underscore would hide it
        figure.legend(handles, names, loc="outside upper center", ncols=2 if max(map(len, names)) < 30 else 1)
        return _svg(figure, "history")


def average(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"]:
    """Means of equal windows, so that at most `POINTS` remain."""
    if len(points) <= POINTS:
        return points
    return np.stack([window.mean(axis=0) for window in np.array_split(points, POINTS)])


def thin(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> Curve:
    """At most `POINTS` of a curve's own points, evenly along its length and with both ends."""
    if len(x) <= POINTS:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)))
    kept = np.unique([0, *kept, len(x) - 1])
    return x[kept], y[kept]


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _write_powers(axis: Axis) -> None:
    """Plain numbers at the powers of ten: the usual labels are mathematical text, which is off here."""
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def _svg(figure: Figure, name: str) -> Markup:
    """The figure as an element of the page: no prolog, no fixed size, ids that no other figure has."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    head, body = svg.split(">", 1)
    head = re.sub(r' (width|height|version|xmlns(:xlink)?)="[^"]*"', "", head)
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", body).replace("xlink:href", "href")
    return Markup(f'{head} class="{name}">{body}')
