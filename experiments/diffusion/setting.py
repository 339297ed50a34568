"""What the diffusion experiments are run with, and a little of it for MODE=test."""

import os
from typing import Any, NamedTuple

from adjax import optim
from adjax.config import EVAL40
from adjax.methods.anoddpm import anoddpm
from adjax.methods.conv_ae import conv_ae
from adjax.methods.ddad import ddad
from adjax.methods.repaint import repaint
from adjax.methods.vae import vae
from adjax.types import Method

SIDE, STRIDE, RULE = 128, 128, "top:0.0005"  # tiles that only touch
TOP = 200  # the step that images are diffused to, where nothing else is said
SETS = {  # in the order in which they are run; a folder's root is given on the command line
    "elpv_mono": {"dataset": "elpv", "category": "mono"},
    "kolektor_sdd": {"dataset": "folder"},
    "filaments": {"dataset": "filaments", **EVAL40},
    "crackforest_patches": {"dataset": "folder"},
    "mvtec_hazelnut_reduced": {"dataset": "folder"},
}
RESIZED = ("elpv_mono", "crackforest_patches")  # to one tile; of the others every pixel is kept
NOISES, OTHERS, SEEDS = ("simplex", "gaussian"), ("conv_ae_ssim", "vae"), (0, 1, 2)
GUIDED, HOLED = "ddad", "repaint"  # other ways of sampling with the network of Gaussian noise
PLANTED = "elpv_mono"  # whose validation images get planted defects


class Way(NamedTuple):
    """Of sampling; `images` is how many planted ones it is measured on at most, `sigma` px blur the map.

    `guidance` is ddad's, `hole` (px) and `rounds` are repaint's.
    """

    sampler: str
    calls: int
    top: int
    images: int = 1000
    sigma: float = 0.0
    guidance: float = 0.0
    hole: int = 0
    rounds: int = 1


PLAIN = Way("ddim", 1, TOP)
HIDDEN = Way("repaint", 25, 800, hole=16)  # from the noisiest step that the network was trained for
FEW = 16  # planted images for the full chain, and for one call beside it


class Setting(NamedTuple):
    unet: dict[str, Any]
    updates: int  # of the diffusions; the others get as many processor seconds
    batch: int
    ways: tuple[Way, ...]
    costly: tuple[Way, ...]  # for one seed
    guided: tuple[Way, ...]  # of ddad
    holed: tuple[Way, ...]  # of repaint, for one seed
    images: int  # at most so many of each split
    chunk: int  # tiles scored at once


FULL = Setting(
    unet={"features": (32, 64), "blocks": 0, "attention": (), "heads": 0, "patch": 4},
    updates=400,
    batch=8,
    ways=(
        PLAIN,
        *(Way("ddim", 1, top) for top in (10, 25, 50, 100, 300, 500)),
        *(Way("ddim", calls, TOP) for calls in (2, 5, 10)),
        *(Way("dpm_solver", calls, TOP) for calls in (2, 5, 10)),
        *(Way("ddim", 5, top) for top in (50, 100, 300)),
        *(Way("ddim", 1, top, sigma=2.0) for top in (10, 25, 50, 100, 200)),
    ),
    costly=(Way("ddim", 1, TOP, FEW), Way("ddpm", TOP, TOP, FEW)),
    guided=(
        *(Way("ddim", 5, top, guidance=weight) for top in (50, 100, 250) for weight in (0.0, 1.0, 3.0, 6.0, 11.0)),
        *(Way("ddim", 5, 25, guidance=weight) for weight in (3.0, 11.0)),
        *(Way("ddim", calls, top, guidance=3.0) for top in (50, 250) for calls in (1, 2, 10, 25)),
    ),
    holed=(
        *(HIDDEN._replace(calls=calls) for calls in (1, 2, 5, 10, 25)),
        *(HIDDEN._replace(calls=5, hole=hole) for hole in (8, 32)),
        *(HIDDEN._replace(calls=5, top=top) for top in (50, 100, TOP)),
        HIDDEN._replace(calls=5, rounds=4),
    ),
    images=1000,
    chunk=16,
)
TEST = Setting(
    unet={"features": (8,), "blocks": 0, "attention": (), "heads": 0, "patch": 4},
    updates=3,
    batch=2,
    ways=(PLAIN, Way("dpm_solver", 2, TOP)),
    costly=(),
    guided=(Way("ddim", 2, TOP, guidance=3.0),),
    holed=(HIDDEN._replace(calls=1),),
    images=4,
    chunk=4,
)


def chosen() -> Setting:
    return TEST if os.environ.get("MODE") == "test" else FULL


def network(name: str) -> str:
    """Whose trained network a method uses."""
    return "gaussian" if name in (GUIDED, HOLED) else name


def method(setting: Setting, name: str, updates: int, way: Way = PLAIN) -> Method:
    """A noise, or one of the others; the trained state is the same for all ways of sampling."""
    tx = optim.optimizer(steps=updates, name="adamw", learning_rate=1e-3, schedule="cosine", warmup=1, clip_norm=1.0)
    if name == "conv_ae_ssim":
        return conv_ae(tx=tx, loss="ssim", rule=RULE)
    if name == "vae":
        return vae(tx=tx, warmup=50, rule=RULE)
    if name == GUIDED:
        return ddad(tx=tx, unet=setting.unet, top=way.top, calls=way.calls, guidance=way.guidance, rule=RULE)
    if name == HOLED:
        settings = {"trained": way.top, "top": way.top, "calls": way.calls, "hole": way.hole, "rounds": way.rounds}
        return repaint(tx=tx, unet=setting.unet, **settings, rule=RULE)
    return anoddpm(tx=tx, unet=setting.unet, noise=name, sampler=way.sampler, calls=way.calls, top=way.top, rule=RULE)
