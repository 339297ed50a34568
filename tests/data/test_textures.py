"""Textures beside the images: their range and shape, one result per batch number, and every kind of source."""

import itertools
import pathlib

import folders
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from adjax import methods, run
from adjax.config import base, finish
from adjax.data import textures
from adjax.data.textures import SOURCES, beside
from adjax.types import Method, Phase, Prediction, UserError

SHAPE = (24, 32, 3)


def take(number, *, shape=SHAPE, rows=4, **how):
    """The first batches' textures."""
    blank = ({"image": np.zeros((rows, *shape), np.float32)} for _ in itertools.count())
    batches = itertools.islice(beside(blank, shape, **{"batch_size": 4, "seed": 0} | how), number)
    return [batch[how.get("field", "texture")] for batch in batches]


@pytest.fixture
def dtd(tmp_path):
    """DTD's layout, with its stray file and a picture of another mode."""
    random = np.random.default_rng(0)
    for name in ("banded", "woven"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for i in range(3):
            pixels = random.integers(0, 256, (30 + i, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}_{i:04d}.jpg")
    (tmp_path / "images" / "banded" / ".directory").write_text("stray")
    Image.new("CMYK", (30, 30)).save(tmp_path / "images" / "woven" / "woven_0009.jpg")
    return tmp_path


def sources(dtd):
    return {
        "procedural": {},
        "folder": {"root": str(dtd / "images" / "woven")},
        "dtd": {"root": str(dtd)},
        "skimage": {},
    }


def test_a_penalty_is_the_middle_of_an_image_resized_to_twice_the_size(tmp_path):
    """In the middle the picture is white; where that begins, resizing mixes it with the black."""
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[24:72, 32:96] = 255
    Image.fromarray(pixels).save(tmp_path / "white.png")
    (made,) = take(1, source="folder", root=str(tmp_path), field="penalty", zoom=2)
    assert made.shape == (4, *SHAPE) and made.min() > 0.5 and made[:, 2:-2, 2:-2].min() > 0.99
    assert take(1, source="folder", root=str(tmp_path))[0].min() == 0


@pytest.mark.parametrize("source", SOURCES)
def test_textures_fit_the_images_and_come_by_number(source, dtd):
    how = {"source": source} | sources(dtd)[source]
    made = take(3, **how)
    for texture in made:
        assert texture.shape == (4, *SHAPE) and texture.dtype == np.float32
        assert texture.min() >= 0 and texture.max() <= 1 and texture.std() > 0.02
    assert np.any(made[0] != made[1])
    for later, texture in zip(take(2, start=1, **how), made[1:]):
        np.testing.assert_array_equal(later, texture)
    halves = [take(1, rows=2, shard=(host, 2), **how)[0] for host in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(halves), made[0])
    assert np.any(take(1, seed=1, **how) != made[0])
    assert take(1, shape=(24, 24, 1), **how)[0].shape == (4, 24, 24, 1)


def test_a_texture_is_asked_for_before_the_one_before_it_is_waited_for(monkeypatch):
    """Or a device that is at a training step keeps the host waiting until it has ended, as if it lacked input."""
    order = []

    class Asked:
        def __init__(self, key):
            self.number = len(order)
            order.append("ask")

        def __array__(self, dtype=None, copy=None):
            order.append("wait")
            return np.full((4, *SHAPE), self.number, np.float32)

    monkeypatch.setattr(textures, "_renderer", lambda *_: Asked)
    take(3)
    assert order == ["ask", "ask", "wait", "ask", "wait", "ask", "wait"]


def test_procedural_textures_differ_in_kind_and_colour():
    texture = take(1, rows=4, shape=(64, 64, 3))[0]
    assert len({tuple(np.round(t.mean((0, 1)), 2)) for t in texture}) == 4


def test_errors_name_the_choices(dtd):
    with pytest.raises(UserError, match="unknown texture source 'perlin'; choose from procedural, folder"):
        take(1, source="perlin")
    with pytest.raises(UserError, match="data.texture.root"):
        take(1, source="folder")
    with pytest.raises(UserError, match="images/<texture>"):
        take(1, source="dtd", root=str(dtd / "images"))


def probe(*, tx=None, rule="max"):
    """Sums up the textures it is given."""
    update = lambda state, batch, key: (state + batch["texture"].mean(), {"loss/total": batch["texture"].mean()})
    score = lambda state, batch, keys: Prediction(batch["image"].mean((1, 2, 3)), batch["image"].mean(-1))
    return Method(lambda key, batch, info: jnp.zeros(()), {"train": Phase(update)}, score, needs=frozenset({"texture"}))


def test_training_feeds_textures_to_a_method_that_needs_them(tmp_path, monkeypatch):
    monkeypatch.setitem(methods.METHODS, "probe", probe)
    config = base()
    config.method = {"name": "probe"}
    config.data.update(dataset="folder", root=str(folders.make(tmp_path / "images")), validation=0.4)
    config.data.texture.source = "skimage"
    job = run.Job(pathlib.Path(tmp_path / "out"), finish(config, "test"), {}, None, "test")
    assert run.train(job) == 0
