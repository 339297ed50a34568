"""Writes the tables of results.json between the markers of README.md here, and the times into the project README."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
START, END = "<!-- measured: start -->", "<!-- measured: end -->"


def times(result):
    """One row per rival, one column per set."""
    sets = result["sets"]
    heads = [f"{s['maps'][0]} maps of {s['maps'][1]}²" for s in sets]
    yield f"| CPU seconds (ratio to ours) | {' | '.join(heads)} | error of AUPRO |"
    yield "| --- " * (len(sets) + 2) + "|"
    for part in ("aupro", "auroc_ap_f1"):
        for name in sets[0][part]:
            if part == "auroc_ap_f1" and "adjax" in name:
                continue
            cells = [f"{s[part][name]['cpu_s']:.3f} ({s[part][name]['ratio']:.2f}×)" for s in sets]
            errors = [s["aupro_disagreement"][name] for s in sets if name in s["aupro_disagreement"]]
            yield f"| {name} | {' | '.join(cells)} | {f'{max(errors):.0e}' if errors else ''} |"


def facts(result):
    """What doesn't fit the tables, as a list."""
    sets, agreement = result["sets"], result["agreement"]
    memory = [s["peak_memory_in_maps"]["all metrics"] for s in sets]
    pooled = max(s["scikit_learn_disagreement"] for s in sets)
    bounds = [b["bound"] for s in sets for b in s["streaming"].values()]
    errors = [b["error"] for s in sets for b in s["streaming"].values()]
    kept = max(s["streaming_bytes"] for s in sets) / 1e6
    yield f"- Peak extra memory of all metrics in one call: {min(memory):.2f} to {max(memory):.2f} times the maps."
    yield (
        f"- Largest difference from scikit-learn (AUROC, AP, F1-max): {agreement['ties_scikit_learn']:.0e} with half "
        f"of the scores tied, {pooled:.0e} on all pixels."
    )
    yield (
        f"- AUPIMO differs from anomalib's (30,000 thresholds) by at most {agreement['aupimo_largest_per_image']:.0e} "
        f"on an image; {agreement['aupimo_cpu_s']['adjax']:.3f} s against "
        f"{agreement['aupimo_cpu_s']['anomalib, 30,000 thresholds']:.2f} s."
    )
    yield (
        f"- Streaming in at most {kept:.1f} MB: errors up to {max(errors):.0e}, all within their bounds of at most "
        f"{max(bounds):.0e}."
    )


def alarms(result):
    yield "| alpha | good images | decision | false alarms |"
    yield "| --- | --- | --- | --- |"
    for row in result["coverage"]["rows"]:
        rate = f"{row['rate']:.4f} ± {row['standard_error']:.4f}"
        yield f"| {row['alpha']} | {row['images']} | {row['kind']} | {rate} |"


def intervals(result):
    yield "| KolektorSDD, a trivial detector | value | 95 % interval |"
    yield "| --- | --- | --- |"
    for name, row in result["kolektor"]["intervals"].items():
        yield f"| {name} | {row['value']:.3f} | {row['low']:.3f} – {row['high']:.3f} |"


def tables(result):
    lines = [f"{result['device']}; NumPy {result['versions']['numpy']}; medians of {result['rounds']} rounds.", ""]
    lines += [
        *times(result),
        "",
        *facts(result),
        "",
        f"{result['coverage']['trials']:,} trials each:",
        "",
        *alarms(result),
    ]
    if result["kolektor"]:
        lines += ["", *intervals(result)]
    return "\n".join(lines)


def put(readme, text):
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + "\n" + text + "\n" + END + rest.split(END)[1])


def main():
    result = json.loads((HERE / "results.json").read_text())
    put(HERE / "README.md", tables(result))
    put(HERE.parent.parent / "README.md", "\n".join(times(result)))


if __name__ == "__main__":
    main()
