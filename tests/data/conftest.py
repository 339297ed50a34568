"""TensorFlow is imported before the first test, so that its seconds count against no test's budget."""

import pytest

from adjax.data.tensorflow import tf


@pytest.fixture(scope="session", autouse=True)
def _tensorflow():
    return tf()
