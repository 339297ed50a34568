"""From batches to scored images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax import parallel
from adjax.predict import predict
from adjax.types import Method, Prediction, Record, UserError

RECORDS = [Record(name, f"/images/{name}", -1, "", (), "", (2, 3, 1), "uint8") for name in ("a.png", "b.png")]


def scored(score):
    batch = {"image": np.float32([[[[0.25]] * 3] * 2, [[[1.0]] * 3] * 2]), "_mask": np.ones(2, bool)}
    batch |= {"_hash": np.arange(2, dtype=np.uint32), "_size": np.full((2, 2), (2, 3), np.int32)}
    method = Method(lambda *_: (), {}, score)
    how = {"key": jax.random.key(0), "mesh": parallel.mesh(jax.devices()[:1]), "clock": {}}
    return list(predict(method, (), [(RECORDS, batch)], **how))


def test_each_record_has_its_score_and_map():
    found = scored(lambda state, batch, keys: Prediction(batch["image"].sum((1, 2, 3)), batch["image"][..., 0]))
    assert [(s.record.id, s.score, s.map.shape) for s in found] == [("a.png", 1.5, (2, 3)), ("b.png", 6.0, (2, 3))]


@pytest.mark.parametrize("of_map", [False, True])
def test_what_is_not_a_number_names_its_image(of_map):
    broken = lambda x: jnp.where(x == 1.0, jnp.nan, x)

    def score(state, batch, keys):
        maps = batch["image"][..., 0]
        scores = maps.mean((1, 2))
        return Prediction(scores, broken(maps)) if of_map else Prediction(broken(scores), None)

    with pytest.raises(UserError, match="/images/b.png: its score or map is not a number"):
        scored(score)
