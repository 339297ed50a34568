"""MPDD (Jezek et al., ICUMT 2021): painted metal parts, several in a picture, in changing places; 6 categories.

MVTec AD's layout. CC BY-NC-SA 4.0. `parts_mismatch` is a logical defect. That masks end in _mask.png is unverified: any
suffix that `masks` knows will do.
"""

from adjax.data import mvtec_ad
from adjax.data.source import Source


def load(*, root: str | None = None, category: str = "") -> Source:
    return mvtec_ad.in_its_layout("mpdd", root, category)
