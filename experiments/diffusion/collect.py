"""Gathers the pieces that were measured into results.json, and writes the README's tables and figures.

python -m experiments.diffusion.collect --runs=runs/diffusion

Without --runs the tables and the curve are drawn anew from results.json. What was not run is shown as not run.
"""

import argparse
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from adjax.methods.holes import PERIOD
from adjax.report.panels import colour
from experiments.diffusion import setting
from experiments.tables import replace, row, spread

HERE = pathlib.Path(__file__).parent
COLUMNS = ("image", "noisy", "rebuilt", "map", "truth")
BAR, GAP = 14, 6  # px: the name's line, and between images
NOT_RUN = "not run"
SHEET = "![Image, diffused image, reconstruction, map and truth](contact_sheet.jpg)"


def gather(runs: pathlib.Path) -> dict:
    read = lambda pattern: [json.loads(path.read_text()) for path in sorted(runs.glob(pattern))]
    about = json.loads((runs / "about.json").read_text())
    return {
        "about": about,
        "tests": read("test-*.json"),
        "economy": read("economy-*.json"),
        "memory": read("memory.json"),
    }


def economy(results: dict) -> list[str]:
    """A line for each way of sampling, for each noise AP and AUPRO on planted defects."""
    head = [f"{name}: {what}" for name in setting.NOISES for what in ("AP", "AUPRO")]
    lines = ["", row(["sampler", "calls", "top", "blur px", "images", *head]), "|---" * (5 + len(head)) + "|"]
    for way in (*setting.FULL.ways, *setting.FULL.costly):
        found = {name: of_way(results, name, way) for name in setting.NOISES}
        cells = [over_seeds(found[name], what) for name in setting.NOISES for what in ("pixel_ap", "aupro")]
        images = {e["images"] for runs in found.values() for e in runs}
        lines.append(row([*map(str, way[:3]), f"{way.sigma:g}", "/".join(map(str, sorted(images))) or "–", *cells]))
    return [*lines, ""]


def settings(results: dict, name: str, ways: Sequence[setting.Way], fields: Sequence[str]) -> list[str]:
    """A line for each way of sampling of one method, told by these fields of it."""
    lines = ["", row([*fields, "images", "AP", "AUPRO"]), "|---" * (3 + len(fields)) + "|"]
    for way in ways:
        found = of_way(results, name, way)
        images = "/".join(sorted({str(e["images"]) for e in found})) or "–"
        cells = [over_seeds(found, what) for what in ("pixel_ap", "aupro")]
        lines.append(row([*(f"{getattr(way, field):g}" for field in fields), images, *cells]))
    return [*lines, ""]


def of_way(results: dict, name: str, way: setting.Way) -> list[dict]:
    return [e for e in results["economy"] if e["method"] == name and setting.Way(*e["way"]) == way]


def tests(results: dict) -> list[str]:
    """A line for each set and method; a noise's second line is at its own best step, and so is ddad's only one."""
    measures = ("image_auroc", "pixel_ap", "aupro")
    head = ["data", "method", "step", "updates", "image AUROC", "pixel AP", "AUPRO"]
    lines = ["", row(head), "|---" * len(head) + "|"]
    for which in setting.SETS:
        lines_of = [(name, own) for name in setting.NOISES for own in (False, True)]
        lines_of += [(setting.GUIDED, True), *((name, False) for name in setting.OTHERS)]
        for name, own in lines_of:
            found = of_test(results, which, name, own)
            step = "–" if name in setting.OTHERS else one(found, "top") + (", best planted" if own else "")
            cells = [which, name, step, one(found, "updates"), *(over_seeds(found, m) for m in measures)]
            lines.append(row(cells))
    return [*lines, ""]


def of_test(results: dict, which: str, name: str, own: bool) -> list[dict]:
    return [t for t in results["tests"] if (t["set"], t["method"], t["own"]) == (which, name, own)]


def one(found: list[dict], what: str) -> str:
    return "/".join(sorted({str(each[what]) for each in found})) or "–"


def over_seeds(found: list[dict], what: str) -> str:
    known = [each[what] for each in found if what in each]
    return f"{spread(known, 3)} ({len(known)})" if known else ("–" if found else NOT_RUN)


def answer(results: dict) -> list[str]:
    """Simplex against Gaussian, seed by seed: planted defects at each one's best, then test images."""
    pairs = []
    for what, measure in (("pixel_ap", "pixel AP"), ("aupro", "AUPRO")):
        for blurred in (False, True):
            ways = [w for w in setting.FULL.ways if bool(w.sigma) == blurred]
            own = [max(ways, key=lambda w: mean(of_way(results, n, w), what)) for n in setting.NOISES]
            steps = f"steps {own[0].top} and {own[1].top}" + (", maps blurred" if blurred else "")
            both = [of_way(results, name, way) for name, way in zip(setting.NOISES, own)]
            pairs.append((f"planted defects, {measure} ({steps})", *both, what))
    for which in setting.SETS:
        for own in (False, True):
            both = [of_test(results, which, name, own) for name in setting.NOISES]
            for what, title in (("image_auroc", "image AUROC"), ("pixel_ap", "pixel AP"), ("aupro", "AUPRO")):
                where = "at each noise's best step" if own else f"at step {setting.TOP}"
                pairs.append((f"{which}, {title} {where}", *both, what))
    lines, wins, total = [], 0, 0
    for title, simplex, gaussian, what in pairs:
        by_seed = [{e["seed"]: e[what] for e in found if what in e} for found in (simplex, gaussian)]
        seeds = sorted(by_seed[0].keys() & by_seed[1].keys())
        if seeds:
            gains = [by_seed[0][seed] - by_seed[1][seed] for seed in seeds]
            higher = sum(gain > 0 for gain in gains)
            wins, total = wins + higher, total + len(seeds)
            lines.append(f"- {title}: {spread(gains, 3)}, simplex higher in {higher} of {len(seeds)} seeds")
    if not total:
        return [f"{NOT_RUN.capitalize()}."]
    verdict = "beats" if wins > 0.8 * total else "does not beat" if wins < 0.5 * total else "does not clearly beat"
    return [
        f"Simplex noise {verdict} Gaussian noise here: it is higher in {wins} of {total} comparisons.",
        "",
        *lines,
        "",
    ]


def mean(found: list[dict], what: str) -> float:
    return float(np.mean([each[what] for each in found])) if found else -1.0


def memory(results: dict) -> list[str]:
    if not results["memory"]:
        return [f"{NOT_RUN.capitalize()}."]
    lines = ["", row(["tiles at once", "working MB", "weights, image and map MB"]), "|---|---|---|"]
    chunks = results["memory"][0]["chunks"]
    return [*lines, *(row([n, f"{v['working_mb']:.0f}", f"{v['in_and_out_mb']:.0f}"]) for n, v in chunks.items()), ""]


def speed() -> list[str]:
    """Of speed.json, which speed.py writes; what was timed on a part of the image is multiplied, and says so."""
    path = HERE / "speed.json"
    if not path.is_file():
        return [f"{NOT_RUN.capitalize()}."]
    rows = json.loads(path.read_text())["rows"]
    head = ["sampler", "calls", *(f"{name}: s per image of 1024²" for name in setting.NOISES)]
    lines = ["", row(head), "|---" * len(head) + "|"]
    for way in dict.fromkeys(tuple(r["way"]) for r in rows):
        of = {r["method"]: r for r in rows if tuple(r["way"]) == way}
        if setting.HOLED in of:  # with the network of Gaussian noise, for each position of the holes
            cells = [f"{PERIOD**2} × {way[1]}", "–", whole_image(of[setting.HOLED])]
        else:
            cells = [str(way[1]), *(whole_image(of.get(name)) for name in setting.NOISES)]
        lines.append(row([way[0], *cells]))
    return [*lines, ""]


def whole_image(found: dict | None) -> str:
    if found is None:
        return NOT_RUN
    seconds = f"{found['s'] * (1024 / found['side']) ** 2:.2f}"
    return seconds if found["side"] == 1024 else f"{seconds} (from {found['side']}²)"


def where(results: dict) -> list[str]:
    how, versions = results["about"]["setting"], results["about"]["versions"]
    commits = sorted({piece["commit"] for part in ("tests", "economy") for piece in results[part]})
    trained = [t for t in results["tests"] if t["method"] in setting.NOISES][:1]
    size = f"{trained[0]['parameters']:,} parameters" if trained else "the network"
    return [
        f"{versions['device']}, jax {versions['jax']}, commits {', '.join(commits)}: {size}, "
        f"{json.dumps(how['unet'])}; {how['updates']} updates of {how['batch']} tiles of {setting.SIDE} px."
    ]


def curve(results: dict, path: pathlib.Path) -> None:
    """AP and AUPRO against the number of network calls from step TOP, and against the step; on planted defects."""
    figure = Figure(figsize=(8, 6))
    FigureCanvasAgg(figure)
    ways = [way for way in setting.FULL.ways if not way.sigma]
    for panels, (what, title) in zip(figure.subplots(2, 2), (("pixel_ap", "pixel AP"), ("aupro", "AUPRO"))):
        for name, style in zip(setting.NOISES, ("-", "--")):
            level = {w: mean(found, what) for w in ways if (found := of_way(results, name, w))}
            for number, sampler in enumerate(("ddim", "dpm_solver")):
                points = sorted((w.calls, y) for w, y in level.items() if (w.sampler, w.top) == (sampler, setting.TOP))
                line(panels[0], points, f"o{style}", f"C{number}", f"{sampler}, {name}")
            for number, calls in enumerate((1, 5)):
                points = sorted((w.top, y) for w, y in level.items() if (w.sampler, w.calls) == ("ddim", calls))
                line(panels[1], points, f"o{style}", f"C{number + 2}", f"{calls} calls, {name}")
        panels[0].set(xscale="log", xlabel=f"network calls from step {setting.TOP}", ylabel=f"{title}, planted")
        panels[1].set(xlabel="step that images are diffused to")
        for panel in panels:
            if panel.has_data():
                panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def line(panel, points: list[tuple[int, float]], style: str, color: str, label: str) -> None:
    if points:
        panel.plot(*zip(*points), style, color=color, label=label)


def contact_sheet(runs: pathlib.Path, path: pathlib.Path) -> None:
    """A row for each set and noise that was run, five pictures for each image."""
    rows = []
    for name in setting.SETS:
        for noise in (*setting.NOISES, setting.HOLED):
            file = runs / f"sheet-{name}-{noise}.npz"
            if file.is_file():
                with np.load(file) as arrays:
                    rows.append(strip(dict(arrays), f"{name}, {noise}   ({', '.join(COLUMNS)})"))
    if rows:
        Image.fromarray(np.concatenate(rows)).save(path, quality=85)


def strip(arrays: dict[str, np.ndarray], title: str) -> np.ndarray:
    pictures = []
    for i in range(len(arrays["image"])):
        limits = (float(np.quantile(arrays["map"][i], 0.01)), float(arrays["map"][i].max()))
        grey = lambda what: np.broadcast_to(np.uint8(np.clip(what, 0, 1) * 255), (*what.shape[:2], 3))
        shown = {n: colour(arrays[n][i], limits) if n == "map" else None for n in COLUMNS}
        shown |= {n: grey(arrays[n][i]) for n in ("image", "noisy", "rebuilt")}
        shown["truth"] = grey(arrays["truth"][i][..., None].astype(float))
        pictures += [*shown.values(), np.full((setting.SIDE, GAP, 3), 255, np.uint8)]
    picture = np.concatenate(pictures[:-1], axis=1).astype(np.uint8)
    bar = Image.new("RGB", (picture.shape[1], BAR), "white")
    ImageDraw.Draw(bar).text((4, 1), title, fill="black")
    return np.concatenate([np.asarray(bar), picture])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=pathlib.Path, help="folder of pieces; without it, tables and curve only")
    flags = parser.parse_args()
    path = HERE / "results.json"
    if flags.runs:
        path.write_text(json.dumps(gather(flags.runs), indent=1) + "\n")
        contact_sheet(flags.runs, HERE / "contact_sheet.jpg")
    results = json.loads(path.read_text())
    for mark, lines in (
        ("where", where(results)),
        ("economy", economy(results)),
        ("guided", settings(results, setting.GUIDED, setting.FULL.guided, ("guidance", "calls", "top"))),
        ("holed", settings(results, setting.HOLED, setting.FULL.holed, ("hole", "calls", "rounds", "top"))),
        ("answer", answer(results)),
        ("tests", tests(results)),
        ("sheet", [SHEET if (HERE / "contact_sheet.jpg").is_file() else f"Contact sheet: {NOT_RUN}."]),
        ("memory", memory(results)),
        ("speed", speed()),
    ):
        replace(HERE / "README.md", mark, lines)
    curve(results, HERE / "economy.png")


if __name__ == "__main__":
    main()
