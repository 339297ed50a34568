"""What the tests themselves rely on."""

import contextlib
import pathlib

import jax
import jax.numpy as jnp


def test_an_entry_of_the_compilation_cache_that_is_half_written_is_compiled_anew():
    """jax writes entries in place: another process may be at it, or was stopped there."""

    def compiled():
        def half_written_entry(x):
            return 3 * x

        return jax.jit(half_written_entry)(jnp.float32(2.0))

    with contextlib.ExitStack() as afterwards:
        compiled()
        (entry,) = pathlib.Path(jax.config.jax_compilation_cache_dir).glob("jit_half_written_entry-*-cache")
        afterwards.callback(entry.unlink)  # an entry that exists is never written again
        entry.write_bytes(entry.read_bytes()[:100])
        assert compiled() == 6
