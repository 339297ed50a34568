"""What a figure depends on besides its own settings."""

import os
import platform
import subprocess
from pathlib import Path

import jax

from adjax.synthesis.filaments import VERSION


def provenance() -> dict:
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    device = {"device": jax.devices()[0].device_kind, "machine": platform.machine(), "cores": os.cpu_count()}
    return {"version": VERSION, "commit": commit, "jax": jax.__version__, **device}
