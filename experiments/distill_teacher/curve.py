"""Keeps the results.json of a finished distillation here, and draws its loss.

python -m experiments.distill_teacher.curve --run=runs/distill_teacher
"""

import argparse
import json
import pathlib

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.tables import replace

HERE = pathlib.Path(__file__).parent


def loss(result: dict) -> list[tuple[int, float]]:
    """(step, loss), counted from the first step that learns."""
    before = -(-result["flags"]["statistics"] // result["flags"]["batch"])
    return [(step - before, value) for step, value in result["history"]["loss/distance"]]


def told(result: dict) -> str:
    flags, curve = result["flags"], loss(result)
    seen = f"{flags['steps']} steps of {flags['batch']} images of {flags['side']} px"
    about = f"`{flags['network']}`, {flags['backbone']}, {flags['source']} images, {seen}, seed {flags['seed']}"
    points = " and ".join(f"{value:.3f} at step {step}" for step, value in (curve[0], curve[-1]))
    return f"{about}: the loss was {points} (jax {result['versions']['jax']}, {result['versions']['device']})."


def draw(result: dict) -> None:
    figure = Figure(figsize=(6, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(*zip(*loss(result), strict=True))
    axes.axhline(1.0, color="grey", linewidth=0.8, linestyle="--", label="each channel's mean")
    axes.set(xlabel="step", ylabel="squared distance, standardised", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(HERE / "curve.png", dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=pathlib.Path, required=True)
    result = json.loads((parser.parse_args().run / "results.json").read_text())
    (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(result)
    replace(HERE / "README.md", "curve", [told(result)])


if __name__ == "__main__":
    main()
