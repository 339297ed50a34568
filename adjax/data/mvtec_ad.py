"""MVTec AD (Bergmann et al., CVPR 2019; IJCV 2021): 15 objects and textures, from 700 to 1024 px a side.

    <root>/<category>/train/good/000.png
    <root>/<category>/test/good/000.png, test/<defect>/000.png
    <root>/<category>/ground_truth/<defect>/000_mask.png

CC BY-NC-SA 4.0. Stems repeat between folders. `grid`, `screw` and `zipper` are grey, the others colour: with both kinds
in one run, state data.channels. `flip` of metal_nut and `misplaced` of transistor mark whole parts. Mirroring or
turning changes what is normal of cable, capsule, metal_nut and transistor: set data.augment=().
"""

from adjax.data import folder, layout
from adjax.data.source import Source


def load(*, root: str | None = None, category: str = "") -> Source:
    return in_its_layout("mvtec_ad", root, category)


def in_its_layout(dataset: str, root: str | None, category: str) -> Source:
    """One category of a data set that is laid out as this one is."""
    top = layout.find(dataset, root, "*/train/good")
    layout.choose(dataset, "category", category, layout.category_folders(top, "train/good"))
    return folder.load(root=str(top), category=category)
