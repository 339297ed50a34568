"""The modes, as sequences: data -> fit -> checkpoint -> predict -> threshold -> evaluate -> report.

All that is learned ends in the checkpoint; evaluate and predict start from it alone.
"""

import json
import logging
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict
from tensorboardX import SummaryWriter
from tqdm import tqdm

from adjax import checkpoint, data, outcome, parallel, workdir
from adjax import config as cfg
from adjax import evaluate as measuring
from adjax import fit as fitting
from adjax import predict as scoring
from adjax.data import fingerprint, pipeline, textures
from adjax.data.details import read_details
from adjax.data.masks import read_mask
from adjax.data.view import View
from adjax.report.maps import write_map
from adjax.trained import Trained, example, restore
from adjax.types import Dataset, Info, Method, Record, State, UserError
from adjax.views import prepare

MAPS = 50  # that predict holds in memory before it leaves out those that no report will show
DIFFERENCES = 10  # files of each split that are named when data are not those of the training run


class Job(NamedTuple):
    workdir: pathlib.Path
    config: ConfigDict | None
    overrides: Mapping[str, Any]  # keys set on the command line: they win over the checkpoint's configuration
    input: str | None  # predict: an image or a folder
    command: str


def train_eval(job: Job) -> int:
    train(job)
    return evaluate(job)


def train(job: Job) -> int:
    """Runs all phases, resuming from the newest checkpoint, then fits the thresholds on the validation images."""
    if job.config is None:
        raise UserError("--config=configs/<name>.py is needed to train")
    config = job.config
    dataset = cfg.make_dataset(config)
    counts = {n: len(dataset.splits[n]) for n in ("train", "calibration")}
    info = Info(counts, cfg.steps(config, counts), config.fit.batch_size)
    method = cfg.make_method(config, info)
    if set(info.steps) != set(method.phases):
        raise UserError(f"config.fit.steps names the phases {sorted(info.steps)}, the method has {list(method.phases)}")
    scorer = cfg.make_scorer(config, method)
    cfg.check_end(config, len(dataset.splits["validation"]))
    meta = {
        "method": config.method.name,
        "config": config.to_dict(),
        "counts": dict(info.counts),
        "shape": _shape(dataset.splits["train"], cfg.make_view(config)),
    }
    with checkpoint.open_store(job.workdir / "checkpoints") as store:
        found = checkpoint.newest(store)
        if found:
            _check_same(found[1]["config"], config, store.directory, decided=found[1]["done"])
        if parallel.leads():
            workdir.write_json(job.workdir / "config.json", config.to_dict())
        if found and found[1]["done"]:
            logging.info("%s: already trained (checkpoint %d)", store.directory, found[0])
            return 0
        fitted = _fit(job, method, dataset, info, store, meta)
        own = parallel.moved(fitted.state, cfg.mesh(config, own=True))
        done = _decide(config, scorer, own, dataset)
        place = {"phase": len(method.phases), "step": 0, "history": fitted.history, "seconds": fitted.seconds}
        checkpoint.save(store, fitted.number + 1, fitted.state, meta | place | done | {"done": True})
        checkpoint.wait(store)
    return 0


def _check_same(saved: dict, config: ConfigDict, folder, *, decided: bool) -> None:
    """A run goes on as it began: only where the data lie, what is written beside it, how much is scored at once, and
    thresholds that are not `decided` yet may change."""
    free = {"data.root", "data.texture.root", "data.penalty.root", "data.cache_mb", "data.cache_dir"}
    free |= {"maps", "baselines", "fit.log_every", "score.batch_size", "score.chunk"}
    free |= set() if decided else {"threshold.image", "threshold.pixel"}
    old, new = _flat(saved), _flat(json.loads(json.dumps(config.to_dict())))
    changed = sorted(k for k in old.keys() | new.keys() if k not in free and old.get(k) != new.get(k))
    if changed:
        what = ", ".join(f"{k} was {old.get(k)!r} and is {new.get(k)!r}" for k in changed[:3])
        raise UserError(f"{folder} holds a run of another configuration: {what}; choose another --workdir")


def _flat(tree: dict, above: str = "") -> dict[str, Any]:
    """{"data.tile": 128, ...}"""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, dict) else {above + name: value}
    return flat


def _decide(config: ConfigDict, scorer: Method, state: State, dataset: Dataset) -> dict[str, Any]:
    """The thresholds from the validation images, and what a later evaluation compares itself with."""
    scored = _score(config, scorer, state, dataset.splits["validation"], {}, "validation")
    maps = [measuring.counted(s) for s in scored if s.map is not None]
    image = cfg.make_threshold(config.threshold.image, [s.score for s in scored])
    pixel = cfg.make_threshold(config.threshold.pixel, maps) if maps else None
    return {
        "thresholds": {"image": image and image._asdict(), "pixel": pixel and pixel._asdict()},
        "validation_scores": {s.record.id: s.score for s in scored},
        "fingerprint": {n: fingerprint.fingerprint(records) for n, records in dataset.splits.items()},
    }


def evaluate(job: Job) -> int:
    """Scores the test images, measures, and writes results.json, scores.csv and the report."""
    trained = restore(job.workdir, job.config, job.overrides)
    if not parallel.leads():
        return 0
    config = trained.config
    dataset = cfg.make_dataset(config)
    _check_fingerprint(trained, dataset)
    records = dataset.splits["test"]
    if not records:
        logging.info("no test images: nothing to evaluate; score new images with --mode=predict --input=FOLDER")
        return 0
    clock: dict[str, float] = {}
    scored = _score(config, trained.scorer, trained.state, records, clock, "test")
    masks, no_masks = _masks(records)
    known = [prepare(r, m, read_details(r)) for r, m in zip(records, masks or ())]
    baselines = {}
    for name, method in cfg.make_baselines(config).items():
        baselines[name] = measuring.measure(_score(config, method, (), records, {}, name), masks, no_masks, known)
    measured = measuring.measure(scored, masks, no_masks, known)
    results = outcome.results(trained, dataset, scored, measured, baselines, clock, job.command)
    results["per_defect"] = measuring.per_defect(scored, masks, no_masks)
    results["per_category"] = measuring.per_category(scored, masks)
    results["per_item"] = measuring.per_item(scored)
    results["au_spro"] = measuring.saturated(scored)
    for s in scored:
        _write_map(job.workdir / "maps", s, config.maps)
    validation = {r.id: r for r in dataset.splits["validation"]}
    rows = [
        *outcome.rows(
            [(validation[i], s) for i, s in trained.meta["validation_scores"].items()], "validation", trained
        ),
        *outcome.rows([(s.record, s.score) for s in scored], "test", trained),
    ]
    workdir.write_scores(job.workdir / "scores.csv", rows)
    workdir.write_json(job.workdir / "results.json", results)
    outcome.report(job.workdir / "report", results, measured.curves, rows, scored, masks, trained)
    for line in outcome.summary(results):
        logging.info("%s", line)
    return 0


def predict(job: Job) -> int:
    """Scores images without labels into DIR/predict; returns how many were unreadable."""
    if not job.input:
        raise UserError("--mode=predict needs --input=FOLDER_OR_FILE")
    trained = restore(job.workdir, job.config, job.overrides)
    if not parallel.leads():
        return 0
    skipped: list[str] = []

    def skip(path: str, reason: str) -> None:
        skipped.append(reason if path in reason else f"{path}: {reason}")
        logging.error("skipped %s", skipped[-1])

    records = _fitting(data.unlabelled(job.input, on_unreadable=skip), trained, skip)
    clock: dict[str, float] = {}
    folder, scores, shown = job.workdir / "predict", {}, []
    for scored in _scored(
        trained.config, trained.scorer, trained.state, records, clock, "predict", lambda r, why: skip(r.path, why)
    ):
        _write_map(folder / "maps", scored, trained.config.maps)
        scores[scored.record.id] = scored.score
        shown.append(scored)
        if len(shown) >= MAPS:
            shown = outcome.shortlist(shown, trained)
    if not scores:
        raise UserError(f"{job.input}: none of its images can be scored")
    rows = outcome.rows([(r, scores[r.id]) for r in records if r.id in scores], "predict", trained)
    workdir.write_scores(folder / "scores.csv", rows)
    results = outcome.unlabelled_results(trained, len(scores), clock, skipped, job.command)
    outcome.report(folder / "report", results, {}, rows, shown, None, trained)
    logging.info("%d images scored, %d skipped: %s", len(scores), len(skipped), folder / "scores.csv")
    return len(skipped)


def _shape(records: Sequence[Record], view: View) -> tuple[int, int, int]:
    """Height, width and channels of what the method learns from."""
    sides = (view.tile, view.tile) if view.tile else view.shape(records[0])
    return (*sides, view.check(records))


def _masks(records: Sequence[Record]) -> tuple[list | None, str]:
    """The ground truth of every record, or None and the reason why there is none."""
    bare = next((r for r in records if r.label == 1 and not r.masks), None)
    if bare is not None:
        return None, f"no masks: {bare.defect} is known by image only"
    return [read_mask(r) for r in records], ""


def _fitting(records: Sequence[Record], trained: Trained, skip: Callable[[str, str], None]) -> list[Record]:
    """The records whose channels are those that the model learned from, or become so by config.data.channels."""
    wanted, kept = trained.meta["shape"][-1], []
    for r in records:
        if trained.config.data.channels or r.shape[2] == wanted:
            kept.append(r)
        else:
            skip(r.path, f"has {r.shape[2]} channels, the model learned from {wanted}; convert it")
    return kept


def _fit(job: Job, method: Method, dataset: Dataset, info: Info, store, meta: dict) -> fitting.Fitted:
    config, view = job.config, cfg.make_view(job.config)
    names = list(method.phases)

    def feed(phase: str, first: int):
        how = {
            "batch_size": config.fit.batch_size,
            "seed": config.seed + 7919 * names.index(phase),  # each phase its own order
            "start": first,
            "shard": parallel.shard(),
            "cache_mb": config.data.cache_mb,
        }
        records, augment = dataset.splits[method.phases[phase].split], method.phases[phase].augment
        batches = pipeline.stream(records, view, augment=augment, cache_dir=config.data.cache_dir or None, **how)
        for field in sorted(method.needs & textures.APART.keys()):
            batches = cfg.make_beside(config, field)(batches, meta["shape"], **how)
        return batches

    with SummaryWriter(str(job.workdir), write_to_disk=parallel.leads()) as board:
        return fitting.fit(
            method,
            example(meta["shape"]),
            feed,
            key=jax.random.key(config.seed),
            info=info,
            mesh=cfg.mesh(config),
            store=store,
            meta=meta,
            every=fitting.Every(config.fit.log_every, config.fit.save_every),
            write=lambda step, scalars: [board.add_scalar(n, v, step) for n, v in scalars.items()],
        )


def _scored(
    config: ConfigDict,
    scorer: Method,
    state: State,
    records: Sequence[Record],
    clock: dict[str, float],
    name: str,
    on_unreadable: Callable[[Record, str], None] | None = None,
) -> Iterator[scoring.Scored]:
    """All records scored, those of one size after another, in batches that the devices can share."""
    mesh = cfg.mesh(config, own=True)
    batches = pipeline.images(
        records,
        cfg.make_view(config),
        batch_size=-(-config.score.batch_size // mesh.size) * mesh.size,
        grid=cfg.grid(config),
        on_unreadable=on_unreadable,
    )
    key = jax.random.fold_in(jax.random.key(config.seed), 1)
    scored = scoring.predict(scorer, state, batches, key=key, mesh=mesh, clock=clock)
    return iter(tqdm(scored, total=len(records), desc=f"score {name}", unit="image", mininterval=1.0))


def _score(
    config: ConfigDict, scorer: Method, state: State, records: Sequence[Record], clock: dict[str, float], name: str
) -> list[scoring.Scored]:
    """The same in the records' order."""
    if not records:
        return []
    order = {record.id: i for i, record in enumerate(records)}
    return sorted(_scored(config, scorer, state, records, clock, name), key=lambda s: order[s.record.id])


def _check_fingerprint(trained: Trained, dataset: Dataset) -> None:
    """Warns about files that are not those of the training run: the numbers are then those of other data."""
    for split, saved in trained.meta["fingerprint"].items():
        lines = fingerprint.compare_fingerprints(saved, fingerprint.fingerprint(dataset.splits[split]))
        for line in lines[:DIFFERENCES]:
            logging.warning("%s: %s", split, line)
        if len(lines) > DIFFERENCES:
            logging.warning("%s: and %d more differ from the training run", split, len(lines) - DIFFERENCES)


def _write_map(folder: pathlib.Path, scored: scoring.Scored, how: str) -> None:
    if how and scored.map is not None:
        with workdir.replacing((folder / scored.record.id).with_suffix(f".{how}")) as temporary:
            write_map(temporary, scored.map, how)
