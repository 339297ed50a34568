"""The data sets as builders of TensorFlow Datasets, for those whose pipeline begins there.

    builder = AdjaxRecords(config=config("visa", "candle"), data_dir=DIR)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=ROOT))
    builder.as_dataset(split="test")

An example is a record: images and masks are the files' own bytes, for decoders of TFDS know neither TIFF nor 16-bit
colour in one feature. Split "train" holds all good images to learn from; calibration and validation are not yet cut.
Nothing is downloaded: the data sets ask for consent, and ROOT is where they were unpacked.
"""

import dataclasses

import tensorflow_datasets as tfds

from adjax.data import DATASETS, files, known
from adjax.data.tensorflow import tf
from adjax.types import Record


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    dataset: str = ""
    category: str = ""


def config(dataset: str, category: str = "") -> Config:
    """Of one data set, or of several categories ("a,b") of it."""
    name = "-".join(filter(None, (known(dataset), category.replace(",", "-"))))
    return Config(name=name, description=dataset, dataset=dataset, category=category)


class AdjaxRecords(tfds.core.GeneratorBasedBuilder):
    """Records of good and defective images."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Unpack the data set's own archive and name its folder by manual_dir."

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "id": text,
                    "image": tfds.features.Tensor(shape=(), dtype=tf().string),
                    "masks": tfds.features.Sequence(tfds.features.Tensor(shape=(), dtype=tf().string)),
                    "label": tfds.features.Scalar(tf().int64),
                    "defect": text,
                    "category": text,
                }
            )
        )

    def _split_generators(self, manager: tfds.download.DownloadManager):
        given = self.builder_config
        how = {"root": str(manager.manual_dir)}
        sources = [DATASETS[given.dataset](category=name, **how) for name in given.category.split(",")]
        parts = {
            "train": [r for s in sources for r in s.learn],
            "validation": [r for s in sources for r in s.validation or ()],
            "test": [r for s in sources for r in s.test],
        }
        return {name: self._generate_examples(records) for name, records in parts.items() if records}

    def _generate_examples(self, records: list[Record]):
        for r in records:
            yield (
                r.id,
                {
                    "id": r.id,
                    "image": files.read(r.path),
                    "masks": [files.read(path) for path in r.masks],
                    "label": r.label,
                    "defect": r.defect,
                    "category": r.category,
                },
            )
