"""Keeps the results.json of a finished distillation here, and draws its loss.

python -m experiments.distill_teacher.curve --run=runs/distill_teacher
"""

import argparse
import json
import pathlib
import statistics

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.tables import replace

HERE = pathlib.Path(__file__).parent
SPAN = 10  # logged steps


def loss(result: dict) -> list[tuple[int, float]]:
    """(step, loss), counted from the first step that learns."""
    before = -(-result["flags"]["statistics"] // result["flags"]["batch"])
    return [(step - before, value) for step, value in result["history"]["loss/distance"]]


def told(result: dict) -> str:
    flags, curve = result["flags"], loss(result)
    seen = f"{flags['steps']} steps of {flags['batch']} images of {flags['side']} px"
    about = f"`{flags['network']}`, {flags['backbone']}, {flags['source']} images, {seen}, seed {flags['seed']}"
    first, last = (statistics.mean(value for _, value in part) for part in (curve[:SPAN], curve[-SPAN:]))
    means = f"was {first:.3f} in the first {SPAN} steps that were logged and {last:.3f} in the last"
    return f"{about}: the loss {means} (jax {result['versions']['jax']}, {result['versions']['device']})."


def draw(result: dict) -> None:
    figure = Figure(figsize=(6, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    steps, values = zip(*loss(result), strict=True)
    means = [statistics.mean(values[max(0, i + 1 - SPAN) : i + 1]) for i in range(len(values))]
    axes.plot(steps, values, linewidth=0.6, label="one batch")
    axes.plot(steps, means, label=f"mean of the last {SPAN}")
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
