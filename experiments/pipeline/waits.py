"""The share of training that devices wait for input, in the default recipes: a few dozen steps of each.

    DATA=DIR python experiments/pipeline/waits.py [RECIPE ...]

DIR holds kolektor_sdd in MVTec AD's layout. Writes waits.json; recipes that are not named keep what stands there.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from adjax import checkpoint
from adjax.outcome import versions

HERE = pathlib.Path(__file__).parent
STEPS = 36
SMALL = ["--config.data.options.filaments." + option for option in ("n_train=6", "n_test_good=1", "n_test_defect=1")]
RECIPES = {
    "quickstart": [*SMALL, "--config.data.validation=0.1"],
    "kolektor_sdd": [f"--config.data.root={os.environ.get('DATA', '')}/kolektor_sdd", "--config.data.limit=60"],
}


def train(recipe: str, options: list[str], out: pathlib.Path) -> dict:
    command = [
        *("-m", "adjax.main", "--mode=train", f"--config=configs/{recipe}.py", *options),
        *(f"--config.fit.steps.train={STEPS}", "--config.threshold.image=max"),
    ]
    subprocess.run([sys.executable, *command, f"--workdir={out}"], check=True, cwd=HERE.parent.parent)
    with checkpoint.open_store(out / "checkpoints", create=False) as store:
        _, meta = checkpoint.newest(store)
    seconds = meta["seconds"]
    return {
        "command": " ".join(["python", *command]),
        "steps": STEPS,
        "batch": meta["config"]["fit"]["batch_size"],
        "s_per_step": seconds["fit_s"] / STEPS,
        "input_wait": seconds["input_wait_s"] / seconds["fit_s"],
    }


def main() -> None:
    path = HERE / "waits.json"
    found = json.loads(path.read_text())["recipes"] if path.exists() else {}
    for name in sys.argv[1:] or RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = train(name, RECIPES[name], pathlib.Path(folder))
        found[name]["command"] = found[name]["command"].replace(os.environ.get("DATA", "") or "DATA", "$DATA")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    result = {"recipes": found, "load": os.getloadavg(), "versions": versions(), "commit": commit}
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
