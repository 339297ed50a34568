"""What TensorFlow Datasets gives back are the records and the bytes of their files."""

from collections import Counter

import pytest

from adjax.data import DATASETS, files
from tests.data.trees import TREES


@pytest.mark.slow
@pytest.mark.budget(60)  # its import alone takes seconds
@pytest.mark.parametrize("name", ["visa", "mvtec_loco", "nanotwice"])
def test_examples_are_the_records(name, tmp_path):
    import tensorflow_datasets as tfds

    from adjax.data.builders import AdjaxRecords, config

    (tmp_path / "files").mkdir()
    TREES[name].make(tmp_path / "files")
    category = TREES[name].categories[0]
    builder = AdjaxRecords(config=config(name, category), data_dir=tmp_path / "made")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "files"))
    source = DATASETS[name](root=str(tmp_path / "files"), category=category)
    for split, records in (("train", source.learn), ("validation", source.validation), ("test", source.test)):
        if not records:
            assert split not in builder.info.splits
            continue
        row = lambda e: (e["id"].decode(), int(e["label"]), e["defect"].decode(), e["image"], tuple(e["masks"]))
        want = [(r.id, r.label, r.defect, files.read(r.path), tuple(map(files.read, r.masks))) for r in records]
        assert Counter(map(row, tfds.as_numpy(builder.as_dataset(split=split)))) == Counter(want)
