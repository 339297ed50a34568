"""Every data set in miniature: its true layout, names and quirks, in a few small images.

Layouts are those of the loaders' docstrings; none of this was copied from a data set.
"""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.data.files import pixels, save

SHAPE = (40, 48)  # not square: what swaps height and width shows
SQUARE = slice(8, 20), slice(10, 30)


class Tree(NamedTuple):
    make: Callable[[Path], None]
    categories: tuple[str, ...]  # the first is the one that tests read
    counts: dict[str, int]  # of it: "learn", "validation", and each defect of the test


def image(path: Path, seed: int = 0, bad: bool = False, shape=SHAPE, channels: int = 1) -> Path:
    array = pixels((*shape, channels), seed=seed) // 4 + 96
    if bad:
        array[SQUARE] = 255
    return save(path, array if channels == 3 else array[..., 0])


def mask(path: Path, value: int = 255, shape=SHAPE, dtype=np.uint8, at=SQUARE) -> Path:
    array = np.zeros(shape, dtype)
    array[at] = value
    return save(path, array)


def images(folder: Path, names, bad: bool = False, **how) -> None:
    """No two alike, be they in other folders."""
    first = zlib.crc32("/".join(folder.parts[-2:]).encode())
    for seed, name in enumerate(names):
        image(folder / name, first + seed, bad, **how)


def litter(folder: Path) -> None:
    """What other systems and archives leave behind."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (".DS_Store", "Thumbs.db", "._000.png", "._audiojack.json", "readme.txt", "license.txt"):
        (folder / name).write_bytes(b"\0")
    (folder / "__MACOSX").mkdir(exist_ok=True)


def mvtec_like(base: Path, defects=("hole", "color"), train: int = 8, **how) -> None:
    images(base / "train/good", [f"{i:03d}.png" for i in range(train)], **how)
    images(base / "test/good", ["000.png", "001.png"], **how)
    for defect in defects:
        images(base / "test" / defect, ["000.png", "001.png"], bad=True, **how)
        for i in range(2):
            mask(base / f"ground_truth/{defect}/{i:03d}_mask.png")


def _mvtec_ad(root: Path) -> None:
    mvtec_like(root / "bottle", channels=3)
    mvtec_like(root / "grid")
    litter(root / "bottle")
    litter(root / "bottle/test")
    litter(root / "bottle/train/good")


def _mpdd(root: Path) -> None:
    mvtec_like(root / "bracket_black", ("parts_mismatch",), channels=3)


def _mvtec_ad2(root: Path) -> None:
    """The private images have no labels, ground_truth lies in test_public, objects come under several lights."""
    base = root / "can"
    images(base / "train/good", [f"{i:03d}_regular.png" for i in range(6)])
    images(base / "validation/good", ["000_regular.png", "001_regular.png"])
    lights = ("regular", "overexposed", "underexposed", "shift_1", "shift_2", "shift_3")
    images(base / "test_public/good", [f"000_{light}.png" for light in lights])
    images(base / "test_public/bad", [f"001_{light}.png" for light in lights[:3]], bad=True)
    for light in lights[:3]:
        mask(base / f"test_public/ground_truth/bad/001_{light}_mask.png")
    images(base / "test_private", ["000_regular.png"])
    images(base / "test_private_mixed", ["000_mixed.png"])


def _mvtec_loco(root: Path) -> None:
    """A folder of masks for each image; their values name entries of the saturation file."""
    base = root / "breakfast_box"
    images(base / "train/good", [f"{i:03d}.png" for i in range(6)], channels=3)
    images(base / "validation/good", ["000.png", "001.png"], channels=3)
    images(base / "test/good", ["000.png", "001.png"], channels=3)
    for kind in ("logical_anomalies", "structural_anomalies"):
        images(base / "test" / kind, ["000.png", "001.png"], bad=True, channels=3)
        mask(base / f"ground_truth/{kind}/001/000.png", 253)
    mask(base / "ground_truth/logical_anomalies/000/000.png", 255)
    mask(base / "ground_truth/logical_anomalies/000/001.png", 254, at=(slice(30, 40), slice(0, 10)))
    mask(base / "ground_truth/structural_anomalies/000/000.png", 253)
    entries = [("missing", 255, 50, False), ("swapped", 254, 0.5, True), ("scratch", 253, 1.0, True)]
    keys = ("defect_name", "pixel_value", "saturation_threshold", "relative_saturation")
    (base / "defects_config.json").write_text(json.dumps([dict(zip(keys, entry)) for entry in entries]))


def _visa(root: Path) -> None:
    """JPEG with upper-case extension, classes of defects as masks, a table that splits."""
    lines = ["object,split,label,image,mask"]
    for category, classes in (("candle", (1, 9)), ("pcb1", (2, 3))):
        base = root / category / "Data"
        normal = [f"{i:04d}.JPG" for i in range(8)]
        images(base / "Images/Normal", normal, channels=3)
        images(base / "Images/Anomaly", ["000.JPG", "001.JPG"], bad=True, channels=3)
        for i, name in enumerate(normal):
            lines.append(f"{category},{'train' if i < 6 else 'test'},normal,{category}/Data/Images/Normal/{name},")
        for i, value in enumerate(classes):
            path = mask(base / f"Masks/Anomaly/{i:03d}.png", value)
            there = f"{category}/Data/Images/Anomaly/{i:03d}.JPG"
            lines.append(f"{category},test,anomaly,{there},{path.relative_to(root).as_posix()}")
        (root / category / "image_anno.csv").write_text("image,label,mask\n")
    (root / "split_csv").mkdir()
    for name in ("1cls", "2cls_fewshot", "2cls_highshot"):
        (root / f"split_csv/{name}.csv").write_text("\n".join(lines if name == "1cls" else lines[:1]) + "\n")


def _real_iad(root: Path) -> None:
    """Five views of each sample; a view of a defective sample that shows nothing has no mask."""
    base = root / "realiad_1024/audiojack"
    views = {"train": [], "test": []}
    for number, split, code in (*((n, "train", "") for n in range(1, 5)), (5, "test", ""), (6, "test", "AK")):
        for view in range(1, 6):
            where = f"NG/{code}/S{number:04d}" if code else f"OK/S{number:04d}"
            label = f"NG_{code}" if code else "OK"
            name = f"{where}/audiojack_{number:04d}_{label}_C{view}_20230101000000"
            shows = bool(code) and view < 3
            image(base / f"{name}.jpg", 10 * number + view, shows, channels=3)
            entry = {"category": "audiojack", "anomaly_class": code or "OK", "image_path": f"{name}.jpg"}
            entry["mask_path"] = f"{name}.png" if shows else None
            views[split].append(entry)
            if shows:
                mask(base / f"{name}.png")
    meta = {"prefix": "audiojack/", "normal_class": "OK"}
    noisy = {"meta": meta, "train": views["train"] + views["test"][5:7], "test": views["test"]}
    for folder, content in (("realiad_jsons", {"meta": meta, **views}), ("realiad_jsons_fuiad_0.1", noisy)):
        (root / folder).mkdir()
        (root / folder / "audiojack.json").write_text(json.dumps(content))


def _btad(root: Path) -> None:
    """ok and ko; images and masks of different kinds."""
    for category, kind, truth in (("01", "bmp", "png"), ("02", "png", "png"), ("03", "bmp", "bmp")):
        base = root / category
        images(base / "train/ok", [f"{i:04d}.{kind}" for i in range(6)], channels=3)
        images(base / "test/ok", [f"{i:04d}.{kind}" for i in range(2)], channels=3)
        images(base / "test/ko", [f"{i:04d}.{kind}" for i in range(2)], bad=True, channels=3)
        for i in range(2):
            mask(base / f"ground_truth/ko/{i:04d}.{truth}")


def _dagm(root: Path) -> None:
    """Defects in Train too; ellipses; upper-case extensions; a table of labels with a header."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    ellipse = np.uint8(255) * ((((y - 14) / 10) ** 2 + ((x - 20) / 14) ** 2) < 1)
    for category in ("Class1", "Class10"):
        for part, first, number in (("Train", 10, 8), ("Test", 1, 4)):
            folder, lines = root / category / part, ["1"]
            for i in range(first, first + number):
                bad = i % 4 == 3
                image(folder / f"{i:04d}.PNG", i, bad)
                if bad:
                    save(folder / f"Label/{i:04d}_label.PNG", ellipse)
                lines.append(f"{i}\t{int(bad)}\t{i:04d}.PNG\t{int(bad)}\t{f'{i:04d}_label.PNG' if bad else 0}")
            (folder / "Label/Labels.txt").write_text("\r\n".join(lines) + "\r\n")


def _kolektor_sdd(root: Path) -> None:
    """Each item in a few views; every view has a mask, all zero where it is good."""
    for item in range(1, 9):
        for part in range(4):
            image(root / f"kos{item:02d}/Part{part}.jpg", 10 * item + part, part == 3)
            mask(root / f"kos{item:02d}/Part{part}_label.bmp", 255 * (part == 3))


def _kolektor_sdd2(root: Path) -> None:
    """Defects in train too; a copy with another name; sizes that differ."""
    for split, first, number in (("train", 10000, 8), ("test", 20000, 4)):
        for i in range(number):
            shape = (SHAPE[0] + i % 2, SHAPE[1])
            image(root / f"{split}/{first + i}.png", i, i % 4 == 3, shape, channels=3)
            mask(root / f"{split}/{first + i}_GT.png", 255 * (i % 4 == 3), shape)
    image(root / "train/10000 (copy).png", channels=3)


def _magnetic_tile(root: Path) -> None:
    """Images of many sizes beside masks of all grey values; some mark nothing; one tile under several exposures."""
    for i in range(10):
        shape = (SHAPE[0] + i, SHAPE[1] - i)
        image(root / f"MT_Free/Imgs/exp{1 + i % 2}_num_{i // 2}.jpg", i, shape=shape)
        mask(root / f"MT_Free/Imgs/exp{1 + i % 2}_num_{i // 2}.png", 0, shape)
    soft = np.zeros(SHAPE, np.uint8)
    soft[SQUARE] = 255
    soft[4:8, 10:30] = 100  # a soft border, below the threshold
    soft[20:24, 10:30] = 128
    for defect in ("Blowhole", "Break", "Crack", "Fray", "Uneven"):
        for i in range(2):
            image(root / f"MT_{defect}/Imgs/exp1_num_{100 + i}.jpg", i, True)
            empty = defect == "Uneven" and i == 1
            save(root / f"MT_{defect}/Imgs/exp1_num_{100 + i}.png", soft * np.uint8(not empty))


def _nanotwice(root: Path) -> None:
    images(root / "Normal", [f"ITIA{i:04d}.tif" for i in range(5)])
    images(root / "Anomalous/images", [f"ITIA{i:04d}.tif" for i in range(5, 9)], bad=True)
    for i in range(5, 9):
        mask(root / f"Anomalous/gt/ITIA{i:04d}_gt.png")


def _aitex(root: Path) -> None:
    """Two masks for one strip, none for another, one of another length; modes are mixed."""
    strip = (32, 160)
    for roll in ("2306881-210020u", "2608691-202020u"):
        images(root / "NODefect_images" / roll, [f"{i:04d}_000_0{len(roll) % 7}.png" for i in range(5)], shape=strip)
    for seed, stem in enumerate(("0044_019_04", "0097_030_03", "0001_002_00", "0100_025_08", "0094_027_05")):
        shape = (32, 150) if stem == "0094_027_05" else strip
        image(root / f"Defect_images/{stem}.png", seed, True, shape, channels=3 if seed == 2 else 1)
        if stem in ("0044_019_04", "0097_030_03"):
            mask(root / f"Mask_images/{stem}_mask1.png", shape=shape)
            mask(root / f"Mask_images/{stem}_mask2.png", shape=shape, at=(slice(0, 8), slice(60, 70)))
        elif stem != "0100_025_08":
            mask(root / f"Mask_images/{stem}_mask.png", 200, shape)


def _elpv(root: Path) -> None:
    """A table separated by blanks, with probabilities."""
    lines = []
    for i in range(16):
        image(root / f"images/cell{i + 1:04d}.png", i, i >= 12)
        probability = "0.0" if i < 10 else "0.3333333333333333" if i < 12 else "1.0"
        lines.append(f"images/cell{i + 1:04d}.png  {probability}   {'poly' if i % 2 else 'mono'}\n")
    (root / "labels.csv").write_text("".join(lines))


def _folder(root: Path) -> None:
    mvtec_like(root / "mine", ("dent",))


TREES = {
    "folder": Tree(_folder, ("mine",), {"learn": 8, "good": 2, "dent": 2}),
    "mvtec_ad": Tree(_mvtec_ad, ("bottle", "grid"), {"learn": 8, "good": 2, "hole": 2, "color": 2}),
    "mvtec_ad2": Tree(_mvtec_ad2, ("can",), {"learn": 6, "validation": 2, "good": 6, "bad": 3}),
    "mvtec_loco": Tree(
        _mvtec_loco,
        ("breakfast_box",),
        {"learn": 6, "validation": 2, "good": 2, "logical_anomalies": 2, "structural_anomalies": 2},
    ),
    "visa": Tree(_visa, ("candle", "pcb1"), {"learn": 6, "good": 2, "anomaly": 2}),
    "real_iad": Tree(_real_iad, ("audiojack",), {"learn": 20, "good": 8, "AK": 2}),
    "btad": Tree(_btad, ("01", "02", "03"), {"learn": 6, "good": 2, "ko": 2}),
    "mpdd": Tree(_mpdd, ("bracket_black",), {"learn": 8, "good": 2, "parts_mismatch": 2}),
    "dagm": Tree(_dagm, ("Class1", "Class10"), {"learn": 6, "good": 3, "ellipse": 1}),
    "kolektor_sdd": Tree(_kolektor_sdd, ("",), {"learn": 12, "good": 12, "crack": 4}),
    "kolektor_sdd2": Tree(_kolektor_sdd2, ("",), {"learn": 6, "good": 3, "defect": 1}),
    "magnetic_tile": Tree(
        _magnetic_tile,
        ("",),
        {"learn": 8, "good": 2, "blowhole": 2, "break": 2, "crack": 2, "fray": 2, "uneven": 1},
    ),
    "nanotwice": Tree(_nanotwice, ("",), {"learn": 5, "anomalous": 4}),
    "aitex": Tree(_aitex, ("",), {"learn": 8, "good": 2, "019": 1, "030": 1, "002": 1, "027": 1}),
    "elpv": Tree(_elpv, ("mono", "poly"), {"learn": 3, "good": 2, "defective": 2}),
}
