"""The release gates: what detectors that learn nothing can find, per type of defect, with controls that fit the type.

    python experiments/filaments/gates.py --level=L2 --images=24 --cache=runs/filaments --out=gates_L2.json

Controls (measure.py):
  added     against the strands (b) and against the crossings (c) of the same image, each grown by 2 px
  removed   against places as far from the strands (b), and against pores within 3 px of one (`beside`, no gate)
  extended  the disc's mean against means of random discs of the twin, of the same radius and like coverage (b)
Limits: (b) 0.75, (c) 0.70, best statistic of whole images 0.75 at L2, 0.65 above, PNG size 0.60, oracle 0.97.

How figures are estimated (`held_out`, `paired`): the best filter and its sign are chosen on one half of the images and
judged on the other, both ways round; what can be said of the twin is subtracted, which removes most of the chance.
Records of images are kept in --cache, so that a run can be continued or extended.
"""

import argparse
import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from filters import MAPS, STATISTICS
from measure import EXTENDED, measure
from scipy import stats
from setting import provenance

from adjax.synthesis import filaments
from adjax.synthesis.filaments import FAMILY, KINDS

LIMITS = {"b": 0.75, "c": 0.70, "oracle": 0.97, "png": 0.60}
IMAGE = {"L1": 0.75, "L2": 0.75, "L3": 0.65, "L4": 0.65}
ERROR = 0.03  # standard error to be reached


def held_out(values: np.ndarray, names: tuple[str, ...]) -> dict:
    """`values` [image, map], chance at 0.5: figures of the half of the images that had no say in the choice.

    `naive` is the best map's figure with the choice made on the very images, folded.
    """
    figures, chosen = np.empty(len(values)), []
    for half in (0, 1):
        judge = np.arange(len(values)) % 2 == half
        away = values[~judge].mean(0) - 0.5
        best = int(np.argmax(np.abs(away)))
        figures[judge] = 0.5 + np.sign(away[best]) * (values[judge, best] - 0.5)
        chosen.append(("-" if away[best] < 0 else "") + names[best])
    row = {"auroc": figures.mean(), "error": figures.std(ddof=1) / np.sqrt(len(figures))}
    row["naive"] = 0.5 + np.abs(values.mean(0) - 0.5).max()
    return {k: round(float(v), 4) for k, v in row.items()} | {"filter": " / ".join(dict.fromkeys(chosen))}


def paired(changed: np.ndarray, twins: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """[image, statistic]: 0.5 + the rise of the rank among all normals that the defect causes; its mean is the AUROC.

    The mean rank of the twins is 0.5 but for chance.
    """
    order = np.sort(normals, axis=0)

    def rank(values):
        sides = [[np.searchsorted(o, v, s) for o, v in zip(order.T, values.T)] for s in ("left", "right")]
        return np.mean(sides, axis=0).T / len(order)

    return 0.5 + rank(changed) - rank(twins)


def ranks(record: dict, control: str) -> np.ndarray:
    """[m] AUROCs of one image; for discs the mean over its instances, the same disc of the twin subtracted."""
    if record["kind"] not in EXTENDED:
        return np.array(record[control])
    image, twin = np.array(record["discs"]).mean(0)
    return 0.5 + image - twin


def summarise(kind: str, records: list[dict], normals: np.ndarray, sizes: np.ndarray, level: str) -> dict:
    if kind in EXTENDED:
        records = [r for r in records if r["discs"]]
    row = {"family": FAMILY[kind], "images": len(records), "area": float(np.mean([r["share"] for r in records]))}
    present = ["b"] if kind in EXTENDED else [c for c in ("b", "c", "beside") if c in records[0]]
    for control in present:
        row[control] = held_out(np.array([ranks(r, control) for r in records]), MAPS)
    twins, changed = (np.array([r["statistics"][i] for r in records]) for i in (0, 1))
    row["image"] = held_out(paired(changed, twins, normals), STATISTICS)
    png = paired(*(np.array([[float(r["png"][i])] for r in records]) for i in (1, 0)), sizes[:, None])[:, 0]
    row["png"] = {"auroc": float(max(png.mean(), 1 - png.mean())), "error": float(png.std(ddof=1) / len(png) ** 0.5)}
    row["oracle"] = float(np.mean([r["oracle"] for r in records]))
    fails = [k for k in ("b", "c", "png") if k in row and row[k]["auroc"] > LIMITS[k]]
    fails += ["image"] if row["image"]["auroc"] > IMAGE[level] else []
    return row | {"fails": fails + (["oracle"] if row["oracle"] < LIMITS["oracle"] else [])}


def uncertain(row: dict | None) -> bool:
    return row is None or any(row[k]["error"] > ERROR for k in ("b", "c", "image", "png") if k in row)


def tabulate(records: list[dict], kinds: list[str], level: str) -> dict[str, dict]:
    seen = {(r["kind"], r["index"]): r for r in records}
    records = [seen[k] for k in sorted(seen)]
    normals = np.array([r["statistics"][0] for r in records])
    sizes = np.array([float(r["png"][0]) for r in records])
    groups = {k: [r for r in records if r["kind"] == k] for k in kinds}
    return {k: summarise(k, rows, normals, sizes, level) for k, rows in groups.items() if len(rows) >= 4}


def gather(
    cache: Path | None, kinds: list[str], seed: int, how: dict, wanted: int, most: int, minutes: float = np.inf
) -> list[dict]:
    """Records of `wanted` images per type, and of up to `most` for types whose figures are still uncertain.

    After `minutes` it gives up; what has been measured by then is in the cache.
    """
    until = time.monotonic() + 60 * minutes
    lines = cache.read_text().splitlines() if cache and cache.exists() else []
    records, lock = [json.loads(line) for line in lines], threading.Lock()
    done = {(r["kind"], r["index"]) for r in records}

    def one(job: tuple[str, int]) -> None:
        if time.monotonic() > until:
            return
        record = measure(*job, seed, how) or {"kind": job[0], "index": job[1], "hidden": True}
        with lock:
            records.append(record)
            if cache:
                cache.parent.mkdir(parents=True, exist_ok=True)
                with cache.open("a") as file:
                    file.write(json.dumps(record) + "\n")

    chosen = kinds
    while wanted <= most and chosen:
        work = [(k, KINDS.index(k) + len(KINDS) * i) for i in range(wanted) for k in chosen]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, [job for job in work if job not in done]))
        if time.monotonic() > until:
            raise SystemExit(f"{minutes} minutes are over with {len(records)} images: call again to go on")
        done |= set(work)
        table = tabulate([r for r in records if "hidden" not in r], kinds, how["level"])
        chosen = [k for k in kinds if uncertain(table.get(k))]
        wanted += 12
    return [r for r in records if "hidden" not in r and r["kind"] in kinds]


def sources() -> str:
    """A digest of all that records depend on: they are not continued with another generator or measure."""
    here = Path(__file__).parent
    files = [*sorted(Path(filaments.__file__).parent.glob("*.py")), here / "filters.py", here / "measure.py"]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


def show(table: dict[str, dict]) -> None:
    """On the terminal; report.py writes the tables of README.md."""
    for kind, row in table.items():
        cells = [f"{kind:12s} {row['images']:3d} {100 * row['area']:.3f}%"]
        for k in ("b", "c", "beside", "image"):
            cells += [f"{k} {row[k]['auroc']:.2f}±{row[k]['error']:.2f} {row[k]['filter']}"] if k in row else []
        cells.append(f"png {row['png']['auroc']:.2f}±{row['png']['error']:.2f} oracle {row['oracle']:.3f}")
        print(" | ".join((*cells, ", ".join(row["fails"]) or "none")), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", default="L2")
    parser.add_argument("--optics", default="sem")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--images", type=int, default=24, help="per type")
    parser.add_argument("--most", type=int, default=0, help="per type whose figures are still uncertain")
    parser.add_argument("--types", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=np.inf, help="stop after so long")
    parser.add_argument("--cache", default="", help="folder for the images' records")
    parser.add_argument("--out", default="")
    a = parser.parse_args()
    how, kinds = {"level": a.level, "optics": a.optics, "size": a.size}, a.types.split(",")
    name = f"{a.level}_{a.optics}_{a.size}_{a.seed}_{sources()}.jsonl"
    cache = Path(a.cache) / name if a.cache else None
    records = gather(cache, kinds, a.seed, how, a.images, max(a.images, a.most), a.minutes)
    table = tabulate(records, kinds, a.level)
    show(table)
    means = [[r["statistics"][i][0] for r in records] for i in (0, 1)]
    same = float(stats.ks_2samp(*means, method="asymp").pvalue)
    print(f"mean greys of defective images and twins: Kolmogorov-Smirnov p = {same:.2f}")
    if a.out:
        setting = {**provenance(), **how, "seed": a.seed, "records": len(records), "limits": LIMITS}
        setting |= {"image_limit": IMAGE[a.level], "ks_p": same, "sources": sources()}
        Path(a.out).write_text(json.dumps({"setting": setting, "types": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
