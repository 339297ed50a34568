"""Writes the tables of results.json between the markers of README.md."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
START, END = "<!-- measured: start -->", "<!-- measured: end -->"


def rows(result):
    device, versions = result["device"], result["versions"]
    yield f"{device['kind']}, {device['cores']} cores; jax {versions['jax']}, numba {versions['numba']}, " + (
        f"opensimplex {versions['opensimplex']}, NumPy {versions['numpy']}; commit {result['config']['commit'][:12]}; "
        f"medians of {result['config']['rounds']} rounds."
    )
    yield ""
    yield "| 256², batch 16 | images/s | images per CPU second | first call |"
    yield "| --- | --- | --- | --- |"
    for part, title in (("simplex", "six octaves, "), ("draem_masks", "DRAEM masks, ")):
        for name, times in result[part].items():
            if isinstance(times, dict) and "images_per_cpu_s" in times:
                speeds = f"{times['images_per_wall_s']:.0f} | {times['images_per_cpu_s']:.0f}"
                yield f"| {title}{name} | {speeds} | {times['first_call_s']:.1f} s |"
        ratios = f"{result[part]['ratio_wall_s']:.1f}× | {result[part]['ratio_cpu_s']:.1f}×"
        yield f"| {title}ratio | {ratios} | |"
    yield ""
    simplex, step = result["simplex"], result["training_step"]
    yield (
        f"- Six octaves in two dimensions (`dims=2`): {simplex['adjax, dims=2']['images_per_wall_s']:.0f} images/s; "
        f"`power_law`: {result['others']['power_law_images_per_wall_s']:.0f} images/s."
    )
    deviations = simplex["deviation"]
    yield f"- Standard deviation of these batches: {', '.join(f'{n} {v:.3f}' for n, v in deviations.items())}."
    yield f"- Working memory of `fractal`: {simplex['working_memory_in_outputs']:.2f} times the output."
    yield (
        f"- Training step at {step['size']}², batch {step['batch']}, {step['parameters'] / 1e6:.1f}M parameters: "
        f"{100 * step['share']:.1f} % of its time is noise."
    )
    for name, area in result["draem_masks"].items():
        if name.startswith("area"):
            yield (
                f"- DRAEM mask {name}: {100 * area['mean']:.2f} %, empty in {100 * area['empty']:.1f} % of "
                f"{area['draws']} draws."
            )


def main() -> None:
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    table = "\n".join(rows(json.loads((HERE / "results.json").read_text())))
    readme.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
