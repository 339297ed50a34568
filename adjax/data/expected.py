"""How many images the published data sets have, and how sure that is.

Keys are "train", "validation", "test good", "test bad", "good", "bad" (wherever they are) or a defect. SOURCES says
where the numbers come from: only counted ones accuse the copy at hand; the others may themselves be wrong.
"""

from collections.abc import Mapping

SOURCES = {
    "elpv": "counted in its repository",
    "magnetic_tile": "counted in its repository",
    "visa": "counted in its split file",
    "mvtec_ad": "published; the sums agree with an inventory of the archive",
    "mvtec_loco": "published; copies differ in splicing_connectors",
    "nanotwice": "published",
    "aitex": "from third-party readers",
    "btad": "unverified",
    "mpdd": "unverified",
    "dagm": "unverified",
    "kolektor_sdd": "published as 399 images, one copy has 400",
    "kolektor_sdd2": "unverified",
}
COUNTED = ("elpv", "magnetic_tile", "visa")


def _columns(names: tuple[str, ...], rows: Mapping[str, tuple[int, ...]]) -> dict[str, dict[str, int]]:
    return {category: dict(zip(names, row)) for category, row in rows.items()}


PARTS = ("train", "test good", "test bad")
COUNTS: dict[str, dict[str, dict[str, int]]] = {
    "elpv": _columns(("good", "bad"), {"mono": (588, 313), "poly": (920, 402), "both": (1508, 715)}),
    # Of the 103 of MT_Uneven four mark nothing and are left out.
    "magnetic_tile": _columns(
        ("good", "blowhole", "break", "crack", "fray", "uneven"), {"": (952, 115, 85, 57, 32, 99)}
    ),
    "visa": _columns(
        PARTS,
        {
            "candle": (900, 100, 100),
            "capsules": (542, 60, 100),
            "cashew": (450, 50, 100),
            "chewinggum": (453, 50, 100),
            "fryum": (450, 50, 100),
            "macaroni1": (900, 100, 100),
            "macaroni2": (900, 100, 100),
            "pcb1": (904, 100, 100),
            "pcb2": (901, 100, 100),
            "pcb3": (905, 101, 100),
            "pcb4": (904, 101, 100),
            "pipe_fryum": (450, 50, 100),
        },
    ),
    "mvtec_ad": _columns(
        PARTS,
        {
            "bottle": (209, 20, 63),
            "cable": (224, 58, 92),
            "capsule": (219, 23, 109),
            "carpet": (280, 28, 89),
            "grid": (264, 21, 57),
            "hazelnut": (391, 40, 70),
            "leather": (245, 32, 92),
            "metal_nut": (220, 22, 93),
            "pill": (267, 26, 141),
            "screw": (320, 41, 119),
            "tile": (230, 33, 84),
            "toothbrush": (60, 12, 30),
            "transistor": (213, 60, 40),
            "wood": (247, 19, 60),
            "zipper": (240, 32, 119),
        },
    ),
    "mvtec_loco": _columns(
        ("train", "validation", "test good", "structural_anomalies", "logical_anomalies"),
        {
            "breakfast_box": (351, 62, 102, 90, 83),
            "juice_bottle": (335, 54, 94, 94, 142),
            "pushpins": (372, 69, 138, 81, 91),
            "screw_bag": (360, 60, 122, 82, 137),
            "splicing_connectors": (354, 59, 119, 85, 108),
        },
    ),
    "nanotwice": {"": {"good": 5, "bad": 40}},
    "aitex": {"": {"good": 140, "bad": 104}},  # of 105 one has no mask
    "btad": _columns(PARTS, {"01": (400, 21, 49), "02": (399, 30, 200), "03": (1000, 400, 41)}),
    "mpdd": _columns(
        PARTS,
        {
            "bracket_black": (289, 32, 47),
            "bracket_brown": (185, 26, 51),
            "bracket_white": (110, 30, 30),
            "connector": (128, 30, 14),
            "metal_plate": (54, 26, 71),
            "tubes": (122, 32, 69),
        },
    ),
    "dagm": {f"Class{i}": {"test": 575 if i < 7 else 1150} for i in range(1, 11)},
    "kolektor_sdd2": {"": {"train": 2085, "test good": 894, "test bad": 110}},
}
