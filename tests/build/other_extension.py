"""A pytest plugin that puts another build of the extension (NEEDLE_EXTENSION) in place of the installed one.

`make sanitize` runs the tests with it: ``pytest -p tests.build.other_extension``.
"""

import importlib.util
import os
import sys

from hypothesis import HealthCheck, settings

NAME = "needle.backend_ndarray.ndarray_backend_cpu"

spec = importlib.util.spec_from_file_location(NAME, os.environ["NEEDLE_EXTENSION"])
assert spec is not None and spec.loader is not None
sys.modules[NAME] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[NAME])

# Everything is several times slower: fewer examples, and no deadline.
settings.register_profile("slow", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slow")


def pytest_report_header() -> str:
    """Say which build is under test."""
    return f"extension: {os.environ['NEEDLE_EXTENSION']}"
