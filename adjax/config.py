"""Shared config blocks, and from a config to the values it names. Every key is read by exactly one function here.

A recipe in configs/ starts from `base()`, changes what is its own, and returns `finish(config, mode)`; mode "test"
(`--config=configs/x.py:test`) shrinks any recipe to a run of seconds.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from adjax import data, optim, parallel, pooling, threshold, tiling, transforms
from adjax.backbones import RANDOM, cheapest
from adjax.data import options as dataset_options
from adjax.data import textures
from adjax.data.view import View
from adjax.methods import factory
from adjax.report.maps import check_format
from adjax.threshold import THRESHOLDS, Threshold
from adjax.types import Dataset, Info, Method, Record, UserError

# The filament benchmark that tables share: 60 good images to learn from and 40 to test on, of every type of defect.
# Of the first nine types, three of each family, there are two images. The seed is that of 0 to 39 with which good and
# defective test images are taken most like those to learn from (experiments/filaments/balance.py): with 0 the twelve
# good ones happen to be blurred, and whoever measures sharpness seems to find defects.
EVAL40 = {
    "level": "L2",
    "data_seed": 16,
    "size": 1024,
    "n_train": 60,
    "n_test_good": 12,
    "n_test_defect": 28,
    "types": (
        *("density", "broken", "blob", "blur", "beaded", "film", "orientation", "bent", "speck"),
        *("curvature", "width", "noise", "thickened", "thinned", "merged", "frayed", "flake", "fibre", "scratch"),
    ),
    "details": True,
}

# What mode "test" makes of a method's settings that it has.
TINY = {
    "width": 0.25,
    "features": (4, 8),
    "levels": (4, 8),
    "multiples": (1, 2),
    "channels": 8,
    "padding": True,
    "neighbours": 1,
    "trees": 10,
    "dimensions": 16,
    "patches": 32,
    "words": 4,
    "side": 32,
}


def base() -> ConfigDict:
    return ConfigDict(
        {
            "seed": 0,
            "method": {"name": placeholder(str)},
            "optim": {
                "name": "adam",
                "learning_rate": 2e-4,
                "schedule": "constant",
                "warmup": 0,
                "weight_decay": 1e-5,
                "clip_norm": 0.0,
                "momentum": 0.9,
            },
            "data": {
                "dataset": "folder",
                "root": placeholder(str),  # where the data lie; generated data have a cache folder of their own
                "category": "",  # one, or several of a unified model: "candle,pcb1"
                "calibration": 0.0,  # shares of the good learning images, cut by seed
                "validation": 0.2,
                "limit": 0,  # at most so many images of each split, 0 = all
                "options": dataset_options(),  # by data set: what only it knows
                "size": 0,  # side to resize to, 0 = keep the native size
                "tile": 128,  # side of the tiles to learn and score, 0 = whole images
                "crops": 1,  # random tiles from each visit to an image
                "stride": 64,  # between tiles when scoring
                "channels": 0,  # 0 = as stored
                "range": (),  # (lowest, highest) value of float images
                "augment": ("flip_h", "flip_v"),
                "cache_mb": 1024,  # memory for decoded images
                "cache_dir": "",  # a folder that keeps them instead, for later runs too
                # For methods that plant textures: "procedural", or files (textures.SOURCES) below `root`.
                "texture": {"source": "procedural", "root": placeholder(str)},
                # For methods with a penalty: the same. Other images than those of the product, ImageNet's if at hand.
                "penalty": {"source": "procedural", "root": placeholder(str)},
            },
            "fit": {"steps": {"train": 1000}, "batch_size": 32, "log_every": 20, "save_every": 200},
            "score": {
                "rule": "top:0.0005",
                "sigma": 0.0,
                "batch_size": 4,
                "chunk": 16,
                # 0 steps: the method's own map, not how far the image moves (transforms.projected).
                "projected": {"steps": 0, "rate": 0.5, "l1": 0.05, "stop": 0.0},
            },
            # From validation images alone, as in "conformal:0.1" or "max"; "" for none (threshold.THRESHOLDS).
            "threshold": {"image": "conformal:0.1", "pixel": "quantile:0.999"},
            "baselines": ("intensity", "local_median"),
            "maps": "",  # "npy" or "png" (16 bit) writes every anomaly map to maps/
        }
    )


def finish(config: ConfigDict, mode: str | None) -> ConfigDict:
    """Locks a recipe; in mode "test" first makes it tiny."""
    if mode not in (None, "", "test"):
        raise UserError(f"unknown config mode '{mode}'; choose from :test or none")
    if mode == "test":
        config.fit.steps = dict.fromkeys(config.fit.steps, 2)
        config.fit.batch_size, config.fit.log_every = 4, 1
        config.score.batch_size, config.score.chunk = 2, 4
        config.data.limit = 4
        if config.data.tile:
            config.data.tile = config.data.stride = 32
        else:
            config.data.size = 32
        config.threshold.image = config.threshold.image and "max"
        if config.data.dataset == "filaments":
            config.data.options.filaments.update(size=64, n_train=6, n_test_good=2, n_test_defect=2, types=("blob",))
        config.method.update({name: value for name, value in TINY.items() if name in config.method})
        if "unet" in config.method:
            config.method.unet.update(features=(8,), blocks=0, attention=(), heads=0)
            if "noise" in config.method:  # simplex noise takes as long to compile as all the rest
                config.method.noise = "gaussian"
        if "decoder" in config.method:  # which wants layers of different sides, as the first two need not be
            config.method.update(layers=config.method.layers[:1], blocks=1)
        if "backbone" in config.method:
            config.method.layers = cheapest(config.method.backbone, min(2, len(config.method.layers)))
        if "sizes" in config.method:
            config.method.update(sizes=(17,), crops=4, crops_of=("image",), region_side=0, width=1 / 32)
        if "image_layer" in config.method:
            config.method.image_layer = config.method.layers[-1]
    return config.lock()


def steps(config: ConfigDict, counts: Mapping[str, int]) -> dict[str, int]:
    """Updates in each phase; 0 stands for one pass over the training images, in a phase "calibration" over those."""
    images = lambda name: counts["calibration" if name == "calibration" else "train"]
    return {name: number or -(-images(name) // config.fit.batch_size) for name, number in config.fit.steps.items()}


def make_method(config: ConfigDict, info: Info, *, restored: bool = False) -> Method:
    """The method itself, as fit wants it. `restored`: its state comes from a checkpoint, with all weights in it."""
    settings = config.method.to_dict()
    make = factory(settings.pop("name"))
    takes = inspect.signature(make).parameters
    if "tx" in takes:
        settings["tx"] = optim.optimizer(steps=max(info.steps.values()), **config.optim)
    if restored and "weights" in takes:
        settings["weights"] = RANDOM  # the shapes are all that is needed: no file of pretrained weights
    return make(rule=_own_rule(config), **settings)


def make_scorer(config: ConfigDict, method: Method) -> Method:
    """The method with tiling, smoothing and pooling around it, as predict wants it.

    What was not trained on tiles (filters) sees whole images: the map is the same, without the overlaps' cost.
    """
    data, score = config.data, config.score
    pooling.check(score.rule)
    if score.projected.steps and method.phases:
        method = transforms.projected(method, rule=_own_rule(config), **score.projected)
    if data.tile and method.phases:
        method = transforms.tiled(method, grid(config), score.rule, score.chunk)
    elif score.rule == "tile" and method.phases:
        raise UserError("pooling rule 'tile' needs config.data.tile; choose max, mean or top:FRACTION")
    return transforms.smoothed(method, score.sigma, score.rule) if score.sigma else method


def make_baselines(config: ConfigDict) -> dict[str, Method]:
    """The configured filters, scored and pooled as the method is."""
    return {n: make_scorer(config, factory(n)(rule=_own_rule(config))) for n in config.baselines}


def make_threshold(spec: str, scores: list) -> Threshold | None:
    """`spec` is a kind of threshold.THRESHOLDS with its parameter, as in "conformal:0.1"; "" gives None."""
    if not spec:
        return None
    kind, _, value = spec.partition(":")
    name = THRESHOLDS[kind].parameter if kind in THRESHOLDS else None
    try:
        return threshold.fit(kind, scores, **({name or "parameter": float(value)} if value else {}))
    except ValueError as error:
        raise UserError(f"threshold '{spec}': '{value}' is not a number") from error


def check_end(config: ConfigDict, images: int) -> None:
    """Raises UserError, before anything is learned, for what would end a run afterwards: thresholds that so many
    validation images cannot give, unknown baselines and formats."""
    make_threshold(config.threshold.image, [0.0] * images)
    make_threshold(config.threshold.pixel, [np.zeros((2, 2))] * images)
    make_baselines(config)
    if config.maps:
        check_format(config.maps)


def _own_rule(config: ConfigDict) -> str:
    """What a method pools its own map by; a tile's score counts only under rule "tile", as the map's maximum."""
    return "max" if config.score.rule == "tile" else config.score.rule


def make_dataset(config: ConfigDict) -> Dataset:
    """The data set that the configuration names, cut to config.data.limit images a split."""
    d = config.data
    dataset = data.load(
        dataset=d.dataset,
        root=d.root,
        category=d.category,
        seed=config.seed,
        calibration=d.calibration,
        validation=d.validation,
        channels=d.channels or None,
        **d.options.get(d.dataset, d.options),  # checkpoints from before the others had any hold its own alone
    )
    if d.limit:
        dataset = dataset._replace(splits={n: _spread(r, d.limit) for n, r in dataset.splits.items()})
    return dataset


def _spread(records: Sequence[Record], limit: int) -> tuple[Record, ...]:
    """At most `limit` records, evenly spaced: of every defect where they are sorted by defect."""
    picks = np.unique(np.linspace(0, len(records) - 1, min(limit, len(records))).round().astype(int))
    return tuple(records[i] for i in picks)


def make_view(config: ConfigDict) -> View:
    d = config.data
    return View(
        size=(d.size, d.size) if d.size else None,
        tile=d.tile or None,
        crops=d.get("crops", 1),  # checkpoints from before it was a setting lack it
        channels=d.channels or None,
        range=tuple(d.range) or None,
        augment=tuple(d.augment),
    )


def make_beside(config: ConfigDict, field: str) -> Callable:
    """`textures.beside` for the batch field "texture" or "penalty", with its configured source."""
    zoom = {"texture": 1, "penalty": 2}[field]  # of a penalty image the middle quarter is taken, as EfficientAD does
    return partial(textures.beside, field=field, zoom=zoom, **config.data[field])


def mesh(config: ConfigDict, *, own: bool = False) -> Mesh:
    """The devices to learn on; `own`: to score on, those of this process."""
    return parallel.mesh_for(config.fit.batch_size, config.score.batch_size, own=own)


def grid(config: ConfigDict) -> tiling.Grid | None:
    return tiling.check(tiling.Grid(config.data.tile, config.data.stride)) if config.data.tile else None
