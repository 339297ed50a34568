"""Packed data are the data: the same records, splits, pixels, batches and fingerprints."""

from itertools import islice

import numpy as np
import pytest

from adjax import data
from adjax.data import DATASETS, files, fingerprint, mvtec_loco, pipeline, prepare
from adjax.data.masks import read_mask
from adjax.data.tensorflow import tf
from adjax.data.view import View
from adjax.types import UserError
from tests.data.trees import TREES

PACKED = ("visa", "aitex", "nanotwice")  # JPEG and categories, two masks and several lengths, TIFF


@pytest.fixture(scope="module", params=PACKED)
def packed(request, tmp_path_factory):
    """(name, root of the files, root of the shards)"""
    top = tmp_path_factory.mktemp(request.param)
    (top / "files").mkdir()
    TREES[request.param].make(top / "files")
    category = ",".join(TREES[request.param].categories)
    prepare.prepare(request.param, str(top / "files"), category, {}, top / "shards", 0.005)
    return request.param, top / "files", top / "shards"


def both(packed, category=None):
    """The two forms as data sets."""
    name, root, shards = packed
    names = TREES[name].categories if category is None else (category,)
    how = {"seed": 3, "calibration": 0.2, "validation": 0.2, "channels": 1 if name == "aitex" else None}
    whole = data.load(dataset=name, root=str(root), category=names, **how)
    return whole, data.load(dataset="shards", root=str(shards), category=names, **how)


def test_records_masks_and_fingerprints_are_the_same(packed):
    for split, records in both(packed)[0].splits.items():
        others = both(packed)[1].splits[split]
        same = lambda r: (r.id, r.label, r.defect, r.category, r.shape, r.dtype, len(r.masks), r.meta.get("group"))
        assert [same(r) for r in records] == [same(r) for r in others]
        for r, o in zip(records, others):
            np.testing.assert_array_equal(read_mask(r), read_mask(o))
        assert fingerprint.fingerprint(records) == fingerprint.fingerprint(others)


def test_batches_are_identical(packed, tmp_path):
    whole, shards = both(packed)
    view = View(tile=16, channels=1, augment=("flip_h", "rot90"))
    how = {"batch_size": 4, "seed": 5, "cache_dir": str(tmp_path)}
    for host in range(2):
        pair = [pipeline.stream(d.splits["train"], view, shard=(host, 2), **how) for d in (whole, shards)]
        for one, other in islice(zip(*pair), 6):
            np.testing.assert_array_equal(one["image"], other["image"])
    pair = [pipeline.images(d.splits["test"], View(channels=1), batch_size=2) for d in (whole, shards)]
    for (_, one), (_, other) in zip(*pair, strict=True):
        for field in ("image", "_hash", "_size", "_mask"):
            np.testing.assert_array_equal(one[field], other[field])


def test_shards_are_ordinary_tfrecords_of_about_one_size(packed):
    _, _, root = packed
    shards = sorted(root.glob("*.tfrecord"))
    assert len(shards) > 2 and max(s.stat().st_size for s in shards) < 0.05 * 2**20
    found = [bytes(row.numpy()) for row in tf().data.TFRecordDataset([str(s) for s in shards])]  # checks the sums
    records = [r for part in both(packed)[0].splits.values() for r in part]
    wanted = [files.read(path) for r in records for path in (r.path, *r.masks)]
    assert sorted(found) == sorted(wanted)


def test_a_host_reads_only_the_images_of_its_rows(packed, monkeypatch):
    train = both(packed)[1].splits["train"]
    if len(train) < 4:
        return  # the hosts would meet again at the same images
    plain, reads = files.read, []
    monkeypatch.setattr(files, "read", lambda path: reads.append(str(path)) or plain(path))
    view = View(channels=1, size=(16, 16))
    batch = next(pipeline.stream(train, view, batch_size=4, seed=0, shard=(1, 2), workers=1))
    assert len(batch["image"]) == 2 and reads and set(reads) <= {r.path for r in train}
    first = set(reads[:2])
    reads.clear()
    next(pipeline.stream(train, view, batch_size=4, seed=0, shard=(0, 2), workers=1))
    assert not first & set(reads[:2])


def test_saturation_survives(tmp_path):
    (tmp_path / "files").mkdir()
    TREES["mvtec_loco"].make(tmp_path / "files")
    prepare.prepare("mvtec_loco", str(tmp_path / "files"), "breakfast_box", {}, tmp_path / "shards", 1)
    regions = [
        [(r.mask.sum(), r.threshold, r.relative) for record in source.test for r in mvtec_loco.regions(record)]
        for source in (
            DATASETS["mvtec_loco"](root=str(tmp_path / "files"), category="breakfast_box"),
            DATASETS["shards"](root=str(tmp_path / "shards")),
        )
    ]
    assert regions[0] == regions[1] and regions[0]


def test_the_command_and_what_can_go_wrong(tmp_path, capsys):
    (tmp_path / "files").mkdir()
    TREES["visa"].make(tmp_path / "files")
    given = ["--dataset=visa", f"--root={tmp_path / 'files'}", f"--out={tmp_path / 'out'}", "--category=candle,pcb1"]
    prepare.main(given)
    said = capsys.readouterr().out
    assert "20 images in 1 shards: --config.data.dataset=shards" in said and "category=candle,pcb1\n" in said
    load = lambda **how: DATASETS["shards"](root=str(tmp_path / "out"), **how)
    assert {r.category for r in load(category="pcb1").learn} == {"pcb1"} and len(load().learn) == 12
    with pytest.raises(UserError, match="unknown data.category 'x' .*choose from candle, pcb1"):
        load(category="x")
    with pytest.raises(SystemExit, match="is not empty"):
        prepare.main(given)
    shard = tmp_path / "out/00000.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-200])
    last = load().test[-1]
    with pytest.raises(UserError, match="bytes early; copy .*00000.tfrecord again"):
        read_mask(last)
    (tmp_path / "out/index.json").write_text('{"version": 2}')
    with pytest.raises(UserError, match="is of version 2, not 1"):
        load()
    (tmp_path / "out/index.json").write_text("{")
    with pytest.raises(UserError, match="cannot be used .*prepare it again"):
        load()
