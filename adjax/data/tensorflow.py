"""The one door to TensorFlow, opened at first use: its import takes seconds that importing adjax.data must not cost."""

import functools
import os
from types import ModuleType


@functools.cache
def tf() -> ModuleType:
    """TensorFlow, quiet and kept off every GPU: it reads and shuffles here, and the memory of the GPU is JAX's."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    tensorflow.config.set_visible_devices([], "GPU")
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow
