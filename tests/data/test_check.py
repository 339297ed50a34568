"""The checker says what is there, finds every planted fault, and changes nothing."""

import shutil

import numpy as np
import pytest
from PIL import Image

from adjax.data import check, expected, sheet, twins
from adjax.data.folder import load
from tests.data.files import pixels, save
from tests.data.trees import SHAPE, TREES, image, mask, mvtec_like


def report(name, root, out, category="", **how):
    lines, usable = check.check(name, str(root), category, how, out)
    return "\n".join(lines), usable


@pytest.mark.parametrize("name", ["visa", "mvtec_loco", "kolektor_sdd", "elpv"])
def test_what_is_there_is_told(name, tmp_path):
    root = tmp_path / name
    root.mkdir()
    TREES[name].make(root)
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    text, usable = report(name, root, tmp_path / "out")
    assert usable and "s of one processor" in text and "cannot be read" not in text
    for category in TREES[name].categories if name != "elpv" else ("mono",):
        with Image.open(tmp_path / "out" / f"{'_'.join(filter(None, ('contact_sheet', name, category)))}.png") as drawn:
            assert drawn.size[0] == sheet.ACROSS * (sheet.CELL + sheet.GAP) + sheet.GAP
    counts = TREES[name].counts
    rows = dict(line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  "))
    assert rows["train"].split()[0] == str(counts["learn"])
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_counts_stand_beside_the_published_ones(tmp_path):
    TREES["visa"].make(tmp_path)
    text, _ = report("visa", tmp_path, tmp_path / "out", "candle")
    assert "train                        6       900" in text
    assert "WARNING other counts than expected (counted in its split file): train, test good, test bad" in text


def test_every_planted_fault_is_found(tmp_path):
    base = tmp_path / "set"
    mvtec_like(base)
    shutil.copy(base / "train/good/003.png", base / "test/good/005.png")
    Image.open(base / "train/good/004.png").save(base / "test/good/006.jpg", quality=97)
    shutil.copy(base / "test/good/000.png", base / "test/good/007.png")
    mask(base / "ground_truth/hole/000_mask.png", 0)
    mask(base / "ground_truth/hole/001_mask.png", 200, at=(slice(0, 39), slice(0, 48)))
    torn = base / "test/color/001.png"
    torn.write_bytes(torn.read_bytes()[:300])
    turned = Image.fromarray(pixels(SHAPE, seed=7))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(base / "train/good/100.jpg", exif=exif)
    text, usable = report("folder", base, tmp_path / "out")
    assert not usable
    for line in (
        "1 cannot be read\n    " + str(torn),
        "1 mark nothing (masks)\n    test/hole/000.png",
        "1 mark nearly everything (inverted masks?)\n    test/hole/001.png",
        "1 turned by an EXIF tag, which is not applied\n    train/good/100.jpg",
        "same bytes\n    train/good/003.png = test/good/005.png",
        "same look\n    train/good/004.png ~ test/good/006.jpg",
        "1 tested twice, same bytes\n    test/good/000.png = test/good/007.png",
        "mask values     0, 200, 255",
    ):
        assert line in text


def test_grey_beside_colour_and_groups_on_both_sides(tmp_path):
    mvtec_like(tmp_path)
    image(tmp_path / "test/good/009.png", channels=3)
    assert "grey and colour are mixed" in report("folder", tmp_path, tmp_path / "out")[0]
    source = load(root=str(tmp_path))
    grouped = source._replace(
        learn=tuple(r._replace(meta={"group": 1}) for r in source.learn),
        test=tuple(r._replace(meta={"group": 1}) for r in source.test),
    )
    text = "\n".join(check._warnings(grouped, check._look(check._every(grouped))))
    assert "3 tested, though their group is learned from" in text


def test_all_broken_files_are_known_at_once_where_loading_stops_at_the_first(tmp_path):
    mvtec_like(tmp_path)
    for name in ("train/good/001.png", "train/good/002.png"):
        (tmp_path / name).write_bytes(b"\x89PNG")
    text, usable = report("folder", tmp_path, tmp_path / "out")
    assert not usable and "ERROR" in text and "2 cannot be read" in text and "002.png" in text


def test_the_command(tmp_path, capsys):
    TREES["nanotwice"].make(tmp_path)
    given = ["--dataset=nanotwice", f"--root={tmp_path}", f"--out={tmp_path}", "--option", "held_out=2"]
    assert check.main(given) == 0
    assert "test good                    2" in capsys.readouterr().out
    assert check.main([*given, "--category=x"]) == 1
    for wrong, message in (("--dataset=nano", "unknown data set"), ("--option=size=3", "choose from held_out")):
        with pytest.raises(SystemExit, match=message):
            check.main([*given, wrong])


def test_copies_look_alike_and_neighbours_do_not():
    first = [pixels((64, 80, 3), seed=i) // 4 + 96 for i in range(6)]
    noise = np.random.default_rng(0).integers(-3, 4, first[0].shape)
    brighter = (first[2].astype(int) + noise).astype(np.uint8)
    prints = [twins.fingerprint(image) for image in first]
    assert twins.alike(prints, [twins.fingerprint(brighter)]) == [(2, 0)]
    assert twins.alike(prints[:3], prints[3:]) == []
    assert twins.alike([], prints) == []
    deep = first[1].astype(np.uint16) * 257
    assert twins.alike(prints, [twins.fingerprint(deep)]) == [(1, 0)]


def test_what_is_counted_is_known_for_what_has_a_source():
    assert set(expected.COUNTS) <= set(expected.SOURCES)
    assert sum(row["train"] for row in expected.COUNTS["mvtec_ad"].values()) == 3629
    assert sum(row["test bad"] for row in expected.COUNTS["mvtec_ad"].values()) == 1258
    visa = expected.COUNTS["visa"].values()
    assert [sum(row[name] for row in visa) for name in expected.PARTS] == [8659, 962, 1200]
    assert sum(expected.COUNTS["magnetic_tile"][""].values()) == 1344 - 4


def test_the_sheet_shows_masks_of_any_size(tmp_path):
    """A single marked pixel of a large image still has an outline."""
    save(tmp_path / "test/dot/0.png", np.full((900, 1000), 90, np.uint8))
    mask(tmp_path / "ground_truth/dot/0.png", 255, (900, 1000), at=(500, 400))
    save(tmp_path / "train/good/0.png", pixels((30, 50), "uint16"))
    source = load(root=str(tmp_path))
    sheet.write(tmp_path / "sheet.png", {"a": source.learn, "b": source.test})
    drawn = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert (drawn == sheet.OUTLINE).all(-1).sum() >= 4
