"""Gathers the pieces that were measured into results.json, and writes the README's tables and figures.

python -m experiments.diffusion.collect --runs=runs/diffusion

Without --runs the tables and the curve are drawn anew from results.json. What was not run is shown as not run.
"""

import argparse
import json
import pathlib

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from adjax.report.panels import colour
from experiments.diffusion import setting
from experiments.tables import replace, row, spread

HERE = pathlib.Path(__file__).parent
COLUMNS = ("image", "noisy", "rebuilt", "map", "truth")
BAR, GAP = 14, 6  # px: the name's line, and between images
NOT_RUN = "not run"
SHEET = "![Image, diffused image, reconstruction, map and truth](contact_sheet.png)"


def gather(runs: pathlib.Path) -> dict:
    read = lambda pattern: [json.loads(path.read_text()) for path in sorted(runs.glob(pattern))]
    memory = read("memory.json")
    about = json.loads((runs / "about.json").read_text())
    return {"about": about, "tests": read("test-*.json"), "economy": read("economy-*.json"), "memory": memory}


def economy(results: dict) -> list[str]:
    """A line for each way of sampling, for each noise AP and AUPRO on planted defects."""
    head = [f"{noise}: {what}" for noise in setting.NOISES for what in ("AP", "AUPRO")]
    lines = ["", row(["sampler", "calls", "top", *head, "ms per image"]), "|---" * (4 + len(head)) + "|"]
    for way in setting.FULL.ways:
        found = {e["noise"]: e for e in results["economy"] if (e["sampler"], e["calls"], e["top"]) == way}
        cells = [
            f"{found[noise][what]:.3f}" if noise in found else NOT_RUN
            for noise in setting.NOISES
            for what in ("pixel_ap", "aupro")
        ]
        times = [e["ms_per_image"] for e in found.values()]
        lines.append(row([*map(str, way), *cells, f"{min(times):.0f}" if times else NOT_RUN]))
    return [*lines, ""]


def tests(results: dict) -> list[str]:
    lines = ["", row(["data", "noise", "image AUROC", "pixel AP", "AUPRO", "training s"]), "|---" * 6 + "|"]
    for name in setting.SETS:
        for noise in setting.NOISES:
            found = [t for t in results["tests"] if (t["set"], t["noise"]) == (name, noise)]
            values = [over_seeds(found, what) for what in ("image_auroc", "pixel_ap", "aupro")]
            values.append(over_seeds(found, "train_s", 0))
            lines.append(row([name, noise, *(values if found else [NOT_RUN] * 4)]))
    return [*lines, ""]


def over_seeds(found: list[dict], what: str, digits: int = 3) -> str:
    known = [test[what] for test in found if what in test]
    return f"{spread(known, digits)} ({len(known)})" if known else "–"


def memory(results: dict) -> list[str]:
    if not results["memory"]:
        return [f"{NOT_RUN.capitalize()}."]
    lines = ["", row(["tiles at once", "working MB", "weights, image and map MB"]), "|---|---|---|"]
    chunks = results["memory"][0]["chunks"]
    return [*lines, *(row([n, f"{v['working_mb']:.0f}", f"{v['in_and_out_mb']:.0f}"]) for n, v in chunks.items()), ""]


def where(results: dict) -> list[str]:
    about = results["about"]
    how, trained = about["setting"], results["tests"][:1]
    size = f"{trained[0]['parameters']:,} parameters" if trained else "the network"
    return [
        f"{about['device']}, jax {about['jax']}: {size}, {json.dumps(how['unet'])}; {how['steps']} updates of "
        f"{how['batch']} tiles of {setting.SIDE} px; test images at {about['calls']} calls of ddim from step "
        f"{about['top']}."
    ]


def curve(results: dict, path: pathlib.Path) -> None:
    """AP and AUPRO against the number of network calls, on planted defects, from step TOP."""
    figure = Figure(figsize=(8, 3.2))
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    for axis, what, title in zip(panels, ("pixel_ap", "aupro"), ("pixel AP", "AUPRO")):
        for noise, style in zip(setting.NOISES, ("-", "--")):
            for number, sampler in enumerate(("ddim", "dpm_solver", "ddpm")):
                found = [e for e in results["economy"] if (e["noise"], e["sampler"]) == (noise, sampler)]
                points = sorted((e["calls"], e[what]) for e in found if e["top"] == setting.TOP)
                if points:
                    axis.plot(*zip(*points), f"o{style}", color=f"C{number}", label=f"{sampler}, {noise}")
        axis.set(xscale="log", xlabel="network calls", ylabel=f"{title}, planted")
    panels[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def contact_sheet(runs: pathlib.Path, path: pathlib.Path) -> None:
    """A row for each set and noise that was run, five pictures for each image."""
    rows = []
    for name in setting.SETS:
        for noise in setting.NOISES:
            file = runs / f"sheet-{name}-{noise}.npz"
            if file.is_file():
                with np.load(file) as arrays:
                    rows.append(strip(dict(arrays), f"{name}, {noise}   ({', '.join(COLUMNS)})"))
    if rows:
        Image.fromarray(np.concatenate(rows)).save(path, optimize=True)


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
        contact_sheet(flags.runs, HERE / "contact_sheet.png")
    results = json.loads(path.read_text())
    for mark, lines in (
        ("where", where(results)),
        ("economy", economy(results)),
        ("tests", tests(results)),
        ("sheet", [SHEET if (HERE / "contact_sheet.png").is_file() else f"Contact sheet: {NOT_RUN}."]),
        ("memory", memory(results)),
    ):
        replace(HERE / "README.md", mark, lines)
    curve(results, HERE / "economy.png")


if __name__ == "__main__":
    main()
