"""Kills training with SIGKILL again and again and proves that nothing of it shows at the end.

    python experiments/resume/run.py --kills=20 --out=experiments/resume/results.json

Other flags go to the main command, as --config.fit.steps.train=10.

One run goes undisturbed. Others are killed at random times and at chosen moments (while a checkpoint is written, just
after its rename, while an old one is deleted, during finish), started again until they end, and compared with the
first: every byte of the state, and scores.csv.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import orbax.checkpoint as ocp
from PIL import Image

from adjax import checkpoint

HERE = pathlib.Path(__file__).parent
PARTS = {"state", "optimiser", "meta", "_CHECKPOINT_METADATA"}
MOMENTS = ("random", "writing", "renamed", "deleting", "finishing")


def make_images(root: pathlib.Path) -> None:
    random_ = np.random.default_rng(0)
    for split, number in (("train/good", 20), ("test/good", 4), ("test/bad", 4)):
        folder = root / split
        folder.mkdir(parents=True)
        for i in range(number):
            grey = 128 + 60 * np.sin(np.arange(48)[None] / 2 + i) + random_.normal(0, 8, (48, 48))
            grey[20:28, 20:28] += 40 * (split == "test/bad")
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02d}.png")


def start(images: pathlib.Path, workdir: pathlib.Path, more: list[str]) -> subprocess.Popen:
    command = [sys.executable, str(HERE / "two_phase.py"), f"--config={HERE / 'config.py'}", f"--workdir={workdir}"]
    command += [f"--config.data.root={images}", *more]
    environment = os.environ | {"ADJAX_FINISHING": str(workdir / "finishing")}
    workdir.mkdir(parents=True, exist_ok=True)
    log = (workdir / "terminal.txt").open("a")
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def came(moment: str, workdir: pathlib.Path, before: set[str]) -> bool:
    """Whether the moment to kill is now; `before` are the checkpoints at the last look."""
    if moment == "finishing":
        return (workdir / "finishing").exists()
    names = checkpoints(workdir)
    if moment == "writing":
        return any(not n.isdigit() for n in names)
    if moment == "renamed":
        return any(n.isdigit() for n in names - before)
    folder = workdir / "checkpoints"  # deleting: one has lost a part, or has just gone
    torn = any(n.isdigit() and checkpoints_of(folder / n) < PARTS for n in names)
    return torn or any(n.isdigit() for n in before - names)


def checkpoints(workdir: pathlib.Path) -> set[str]:
    return checkpoints_of(workdir / "checkpoints")


def checkpoints_of(folder: pathlib.Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()


def run_until(moment: str, process: subprocess.Popen, workdir: pathlib.Path, delay: float) -> bool:
    """Kills the process `delay` seconds after its first checkpoint, at the next `moment`. False if it ended before."""
    (workdir / "finishing").unlink(missing_ok=True)
    started, first = checkpoints(workdir), None
    before = started
    while process.poll() is None:
        names = checkpoints(workdir)
        if first is None and (names - started):
            first = time.monotonic()
        due = first is not None and time.monotonic() - first > delay
        if due and (moment == "random" or came(moment, workdir, before)):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        before = names
        time.sleep(0.0005)
    return False


def digest(workdir: pathlib.Path) -> dict[str, str]:
    """Hashes of the final state, leaf by leaf in order of name, and of the scores but for the folder's own name."""
    state, items = hashlib.sha256(), ("state", "optimiser")
    with checkpoint.open_store(workdir / "checkpoints", create=False) as store:
        number = store.latest_step()
        saved = store.item_metadata(number)
        # As NumPy arrays: this process has not the devices of the one that saved them.
        like = {item: {n: np.empty(m.shape, m.dtype) for n, m in saved[item].tree.items()} for item in items}
        wanted = {item: ocp.args.StandardRestore(like[item]) for item in items}
        found = store.restore(number, args=ocp.args.Composite(**wanted))
    for item in items:
        for name, leaf in sorted(found[item].items()):
            state.update(name.encode() + np.asarray(leaf).tobytes())
    scores = hashlib.sha256((workdir / "scores.csv").read_bytes())
    return {"state": state.hexdigest(), "scores": scores.hexdigest()}


def study(kills: int, seed: int, moments: list[str], more: list[str], folder: pathlib.Path) -> dict:
    """`more` are settings of the main command."""
    dice = random.Random(seed)
    make_images(folder / "images")
    whole = folder / "whole"
    if start(folder / "images", whole, more).wait():
        sys.exit((whole / "terminal.txt").read_text()[-3000:])
    wanted, trials, done = digest(whole), [], 0
    while done < kills:
        workdir, log = folder / f"trial{len(trials)}", []
        while True:
            process = start(folder / "images", workdir, more)
            moment, delay = moments[done % len(moments)], dice.uniform(0, 1.5)
            if done < kills and len(log) < 5 and run_until(moment, process, workdir, delay):
                left = sorted(checkpoints(workdir))
                log.append({"moment": moment, "delay_s": round(delay, 3), "checkpoints": left})
                done += 1
                print(f"kill {done}: {moment} after {delay:.2f} s; left {left}", flush=True)
                continue
            if process.wait():
                sys.exit((workdir / "terminal.txt").read_text()[-3000:])
            break
        trials.append({"kills": log, "same": digest(workdir) == wanted})
        print(f"trial {len(trials)}: {'same bytes' if trials[-1]['same'] else 'DIFFERENT'}", flush=True)
    return {"kills": done, "seed": seed, "same": all(t["same"] for t in trials), "digest": wanted, "trials": trials}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moments", nargs="+", choices=MOMENTS, default=MOMENTS, help="in turns")
    parser.add_argument("--out", type=pathlib.Path)
    flags, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        found = study(flags.kills, flags.seed, flags.moments, more, pathlib.Path(folder))
    if flags.out:
        flags.out.write_text(json.dumps(found, indent=1) + "\n")
    print(
        f"{found['kills']} kills, {len(found['trials'])} runs: {'all the same bytes' if found['same'] else 'DIFFERENT'}"
    )
    return 0 if found["same"] else 1


if __name__ == "__main__":
    sys.exit(main())
