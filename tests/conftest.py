"""Strict numerics, two virtual devices, a persistent compilation cache, and a time budget for every test."""

import os
import pathlib
import time

# Before jax reads it. Tests compile much and compute little: without LLVM's optimisation they take a third of the time,
# with XLA's older way of writing fused loops half of what is left, and one piece of code compiles faster than many.
QUICK = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
QUICK += " --xla_cpu_parallel_codegen_split_count=1"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK}"

import jax
import pytest

CACHE = pathlib.Path(__file__).parent.parent / ".cache" / "xla"
BUDGET_S = 10.0

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def budget_of(item) -> float:
    marker = item.get_closest_marker("budget")
    return marker.args[0] if marker else BUDGET_S


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also the tests that repeat for more cases what others test")


def pytest_collection_modifyitems(config, items):
    """The longest first: at the end no process waits for another's long test. Slow ones only when asked for."""
    if not config.getoption("--slow"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("slow")])
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    items.sort(key=budget_of, reverse=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fails a test that takes longer than its budget, by wall clock and by processor time alike.

    Both must be over: the clock alone blames a test for its neighbours, processor time alone for using two cores.
    """
    budget = budget_of(item)
    wall, cpu = time.monotonic(), time.process_time()
    result = yield
    spent = min(time.monotonic() - wall, time.process_time() - cpu)
    if spent > budget:
        pytest.fail(f"took {spent:.1f} s, its budget is {budget:.0f} s: make it smaller", pytrace=False)
    return result
