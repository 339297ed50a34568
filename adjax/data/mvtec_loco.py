"""MVTec LOCO AD (Bergmann et al., IJCV 2022): logical and structural anomalies of 5 categories.

    <root>/<category>/train/good/000.png, validation/good/000.png
    <root>/<category>/test/good/000.png, test/logical_anomalies/000.png, test/structural_anomalies/000.png
    <root>/<category>/ground_truth/<anomaly>/000/000.png, 001.png   a folder for each image, a file for each region
    <root>/<category>/defects_config.json                           what the values of the masks mean

CC BY-NC-SA 4.0. A file is one region even where it has several parts, and its value names its entry in the
configuration, which says how much of the region must be marked. Saturation in pixels holds at the masks' own size.
"""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from adjax.data import files, layout, mvtec_ad
from adjax.data.source import Source
from adjax.metrics.spro import Region
from adjax.types import Record, UserError


def load(*, root: str | None = None, category: str = "") -> Source:
    source = mvtec_ad.in_its_layout("mvtec_loco", root, category)
    saturation = _saturation(layout.absolute(root) / category / "defects_config.json")
    test = [r._replace(meta={**r.meta, "saturation": saturation}) if r.label else r for r in source.test]
    return source._replace(test=tuple(test))


def regions(record: Record) -> tuple[Region, ...]:
    """What `metrics.spro_loco` takes of an image: nothing of a good one."""
    found, saturation = [], {value: rule for value, *rule in record.meta["saturation"]} if record.masks else {}
    for path in record.masks:
        values = np.asarray(Image.open(io.BytesIO(files.read(path))))
        value = int(values.max())
        if value not in saturation:
            raise UserError(f"{path} has the value {value}, which its category's defects_config.json does not explain")
        found.append(Region(values > 0, *saturation[value]))
    return tuple(found)


def _saturation(path: Path) -> tuple[tuple[int, float, bool], ...]:
    """(value in the masks, saturation_threshold, relative_saturation)"""
    try:
        entries = json.loads(path.read_text())
        return tuple((e["pixel_value"], e["saturation_threshold"], e["relative_saturation"]) for e in entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be used ({type(error).__name__}: {error}); take it from the archive") from error
