"""Writes the tables of results.json between the markers of README.md."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
START, END = "<!-- measured: start -->", "<!-- measured: end -->"


def speed(settings):
    yield "| 256×256×3 | " + " | ".join(f"{name}: images/s | times slower (range)" for name in settings) + " |"
    yield "| --- " * (1 + 2 * len(settings)) + "|"
    for way in next(iter(settings.values()))["speed"]:
        cells = []
        for setting in settings.values():
            row = setting["speed"][way]
            low, high = row["range"]
            cells += [f"{row['images_per_s']:.0f}", f"{row['slower']:.1f} ({low:.1f}–{high:.1f})"]
        yield f"| {way} | {' | '.join(cells)} |"


def same(setting):
    ways = list(setting["same"])
    yield f"| of {{checked}} draws each | {' | '.join(ways)} | difference / its standard error |"
    yield "| --- " * (2 + len(ways)) + "|"
    for figure in setting["same"][ways[0]]:
        (a, ea), (b, eb) = (setting["same"][way][figure] for way in ways)
        yield f"| {figure} | {a:.4f} ± {ea:.4f} | {b:.4f} ± {eb:.4f} | {(a - b) / (ea**2 + eb**2) ** 0.5:+.1f} |"


def main():
    result = json.loads((HERE / "results.json").read_text())
    config, versions = result["config"], ", ".join(f"{k} {v}" for k, v in result["versions"].items())
    lines = [f"{result['device']}; {versions}; medians of {config['rounds']} rounds of {config['images']} images.", ""]
    lines += [*speed(result["settings"]), ""]
    for name, setting in result["settings"].items():
        lines += [f"Are they the same? {name}:", "", *same(setting), ""]
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    text = "\n".join(lines).format(checked=f"{config['checked']:,}").strip()
    readme.write_text(before + START + "\n" + text + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
