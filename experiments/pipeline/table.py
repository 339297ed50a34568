"""Writes the tables of results.json and waits.json between the markers of README.md here."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
START, END = "<!-- measured: start -->", "<!-- measured: end -->"


def rates(result):
    kinds = sorted({key.split("|")[0] for key in result["rates"]}, reverse=True)
    yield f"| tiles | way | {' | '.join(f'{kind} bit: tiles/s (ratio to the pool)' for kind in kinds)} |"
    yield "| --- " * (2 + len(kinds)) + "|"
    for row in dict.fromkeys(key.split("|", 1)[1] for key in result["rates"]):
        tiles, way = row.split("|")
        cells = [result["rates"][f"{kind}|{row}"] for kind in kinds]
        shown = [
            f"{c['tiles_per_s']:,.0f} ({c['ratio']:.2f}×, {min(c['ratios']):.2f}–{max(c['ratios']):.2f})" for c in cells
        ]
        yield f"| {tiles} | {way} | {' | '.join(shown)} |"


def memory(result):
    yield "| cache_mb | before the first batch | peak | difference |"
    yield "| --- | --- | --- | --- |"
    for row in result["memory"]:
        before, peak = row["before"], row["peak"]
        yield f"| {row['cache_mb']:.0f} | {before:.0f} MB | {peak:.0f} MB | {peak - before:.0f} MB |"


def waits(result):
    yield "| recipe | steps | batch | s per step | waiting for input |"
    yield "| --- | --- | --- | --- | --- |"
    for name, row in result["recipes"].items():
        yield f"| {name} | {row['steps']} | {row['batch']} | {row['s_per_step']:.2f} | {row['input_wait']:.2%} |"


def circumstances(result, extra=""):
    found = result["versions"]
    versions = ", ".join(f"{n} {found[n]}" for n in ("numpy", "jax", "tensorflow-cpu") if n in found)
    return f"{found['device']}; {versions}{extra}; load {result['load'][0]:.1f}; commit {result['commit'][:7]}."


def main():
    result = json.loads((HERE / "results.json").read_text())
    setting = (
        f"{result['images']} images, medians of {result['rounds']} interleaved rounds, {result['threads']} threads."
    )
    lines = [circumstances(result, f", Pillow {result['pillow']}"), setting, "", *rates(result), "", *memory(result)]
    if (HERE / "waits.json").exists():
        waited = json.loads((HERE / "waits.json").read_text())
        lines += ["", circumstances(waited), "", *waits(waited)]
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + "\n" + "\n".join(lines) + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
