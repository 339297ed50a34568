"""NanoTWICE (Carrera et al., IEEE TII 2017): nanofibres in the electron microscope, 45 grey images of 1024×700.

    <root>/Normal/*.tif                                     five, to learn from
    <root>/Anomalous/images/*.tif, Anomalous/gt/*_gt.png    forty, to test

For academic use (unverified). No good image is tested, so that image metrics are undefined unless `held_out` sets some
of the five aside. The names of the files are unverified; images and masks meet by stem. Layout from third-party
readers.
"""

from adjax.data import layout
from adjax.data.source import Source
from adjax.data.splits import hold_out

THRESHOLD = 128  # grey values of the masks


def load(*, root: str | None = None, category: str = "", held_out: int = 0) -> Source:
    """`held_out`: how many of the normal images are tested."""
    layout.choose("nanotwice", "category", category, ("",))
    top = layout.find("nanotwice", root, "Anomalous/images")
    learn, test = hold_out(layout.records(layout.images(top / "Normal"), top), held_out)
    files = layout.images(top / "Anomalous/images")
    found = layout.masks_of(files, top / "Anomalous/gt")
    bad = [layout.record(f, top, defect="anomalous", found=found[f], mask_threshold=THRESHOLD) for f in files]
    return Source(learn, (*test, *bad))
