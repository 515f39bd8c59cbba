"""The kernel tests again, with the kernels compiled for every lower instruction set that this processor has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backend_ndarray.kernel_cases import kernels_of

ISAS = ["baseline", "avx2", "avx512"]
HERE = Path(__file__).parent
FILES = ["test_kernels", "test_fused_kernels", "test_chain", "test_matmul", "test_math_accuracy"]

#: Of the matrix product only what differs from one instruction set to another: the vectors, and so the edges.
EDGES = "any_shape and cpu or each_rung or every_height or rows-columns-rows or nan"
#: Of large arrays only rows: the other orders are walked by code that is the same for all.
ROWS = "not (test_large_arrays and (column or gaps))"
AGAIN = f"test_math_accuracy or test_matmul and ({EDGES}) or cpu and not test_matmul and {ROWS}"


def python(*arguments, isa):
    """Run Python with the instruction set `isa` and return what it prints."""
    environment = os.environ | {"NEEDLE_ISA": isa, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=HERE.parents[1], check=False
    )


@pytest.mark.parametrize("isa", ISAS[:-1])
def test_every_kernel_is_right_with_a_lower_instruction_set(isa):
    if isa not in ISAS[: ISAS.index(kernels_of("cpu").isa())]:
        pytest.skip("not lower than the active instruction set, which test_kernels runs with")
    asked = python("-c", "from needle.backend_ndarray import cpu; print(cpu().isa())", isa=isa)
    assert asked.stdout.strip() == isa, asked.stderr
    options = ["-q", "-x", "-k", AGAIN, "-p", "no:cacheprovider", "--no-header"]
    result = python("-m", "pytest", *options, *[str(HERE / f"{name}.py") for name in FILES], isa=isa)
    assert result.returncode == 0, result.stdout[-5000:]


@pytest.mark.parametrize("isa", ["avx1024", "AVX2"])
def test_an_unknown_instruction_set_is_refused(isa):
    result = python("-c", "from needle.backend_ndarray import ndarray_backend_cpu", isa=isa)
    assert result.returncode != 0
    assert f"NEEDLE_ISA is '{isa}'" in result.stderr and "baseline" in result.stderr
