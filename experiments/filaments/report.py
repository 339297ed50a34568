"""Writes the tables of README.md, between its markers, from gates_*.json and speed.json.

python experiments/filaments/report.py
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
HEAD = "| type | images | area % | filter (b) | crossings (c) | image statistic | PNG | oracle | fails |"


def cell(row: dict, key: str) -> str:
    if key not in row:
        return ""
    figure = f"{row[key]['auroc']:.2f} ± {row[key]['error']:.2f}"
    return f"{figure} ({row[key]['naive']:.2f}) {row[key]['filter']}" if "filter" in row[key] else figure


def gates(path: Path) -> str:
    report = json.loads(path.read_text())
    setting, lines = report["setting"], [HEAD, "|---" * 9 + "|"]
    for kind, row in report["types"].items():
        figures = [f"{100 * row['area']:.3f}", *(cell(row, k) for k in ("b", "c", "image", "png"))]
        fails = ", ".join(row["fails"]) or "none"
        lines.append("| " + " | ".join([kind, str(row["images"]), *figures, f"{row['oracle']:.3f}", fails]) + " |")
    beside = ", ".join(f"{k} {cell(row, 'beside')}" for k, row in report["types"].items() if "beside" in row)
    head = f"### {setting['level']}, {setting['optics']}, {setting['size']} px, version {setting['version']}"
    head += f", seed {setting['seed']}\n\n"
    largest = max(row[k]["error"] for row in report["types"].values() for k in ("b", "c", "image", "png") if k in row)
    tail = f"\n\nLargest standard error {largest:.3f}. Kolmogorov-Smirnov p of mean greys {setting['ks_p']:.2f}."
    return head + "\n".join(lines) + tail + f" Against pores within 3 px of a strand, unmatched: {beside}."


def speed(path: Path) -> str:
    report = json.loads(path.read_text())
    s = report["setting"]
    lines = ["| level | images/s | range |", "|---|---|---|"]
    for level, r in report["levels"].items():
        low, high = r["range"]
        lines.append(f"| {level} | {r['images_per_s']:.1f} | {low:.1f} to {high:.1f} |")
    head = f"{s['size']} px, {s['optics']}, version {s['version']}, batches of {s['batch']}, {s['cores']} cores\n\n"
    return head + "\n".join(lines)


def main() -> None:
    readme = HERE / "README.md"
    made = {"gates": "\n\n".join(gates(p) for p in sorted(HERE.glob("gates_L*.json")))}
    made["speed"] = speed(HERE / "speed.json")
    text = readme.read_text()
    for name, table in made.items():
        text, n = re.subn(
            rf"(<!-- {name} -->).*?(<!-- /{name} -->)", lambda m, t=table: f"{m[1]}\n{t}\n{m[2]}", text, flags=re.S
        )
        if n != 1:
            raise SystemExit(f"README.md needs one pair of markers <!-- {name} --> ... <!-- /{name} -->")
    readme.write_text(text)


if __name__ == "__main__":
    main()
