"""A teacher is distilled, resumes, and is what efficient_ad takes."""

import argparse
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.backbones import distilled
from adjax.nets.pdn import LAYERS, PDN
from adjax.types import UserError
from experiments.distill_teacher import run
from experiments.distill_teacher.distillation import adapted


def test_the_command_line_has_a_test_mode(monkeypatch):
    monkeypatch.setattr("sys.argv", ["run", "--out=teacher.npz"])
    monkeypatch.delenv("MODE", raising=False)
    assert (run.flags().steps, run.flags().width) == (60000, 1.0)
    monkeypatch.setenv("MODE", "test")
    assert {name: getattr(run.flags(), name) for name in run.TEST} == run.TEST


@pytest.mark.budget(20)  # cold, compilation is most of it
def test_a_teacher_is_distilled_into_a_file(tmp_path):
    more = {"network": "pdn_small", "source": "skimage", "root": None, "seed": 0, "out": tmp_path / "teacher.npz"}
    args = argparse.Namespace(**run.TEST | more, workdir=tmp_path / "run")
    history = run.distil(args)
    assert len(history["loss/distance"]) == 1 and np.isfinite(history["loss/distance"][0][1])
    found = distilled.teacher("pdn_small", PDN(LAYERS["pdn_small"], 12, True, 1 / 32), str(args.out))
    args.out.unlink()
    assert run.distil(args) == json.loads(json.dumps(history))  # all was in the checkpoint
    again = distilled.teacher("pdn_small", PDN(LAYERS["pdn_small"], 12, True, 1 / 32), str(args.out))
    jax.tree.map(np.testing.assert_array_equal, found, again)
    args.backbone, args.layers = "resnet34", ("stem",)
    with pytest.raises(UserError, match="choose another --workdir"):
        run.distil(args)


def test_channels_are_pooled_as_pytorch_pools():
    """`adaptive_avg_pool1d`: of 5 channels to 3, the bins are 0-1, 1-3 and 3-4; of 2 to 4, each comes twice."""
    x = jnp.arange(5.0)[None, None, None]
    np.testing.assert_allclose(adapted(x, 3)[0, 0, 0], [0.5, 2, 3.5], rtol=1e-6)
    np.testing.assert_allclose(adapted(x[..., :2], 4)[0, 0, 0], [0, 0, 1, 1], atol=1e-6)
