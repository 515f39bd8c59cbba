"""The built extension: no instruction reaches a processor without it, and course code finds it in the source tree."""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from needle.backend_ndarray import ndarray_backend_cpu as cpu

ROOT = Path(__file__).parents[2]
BUILT = Path(cpu.__file__)
EDITABLE = ROOT / "python/needle/backend_ndarray" / BUILT.name


def run(*command, **environment):
    """Return what a command prints; it must end well."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="about x86-64")
@pytest.mark.skipif(not shutil.which("objdump"), reason="objdump is not installed")
def test_wide_vectors_stay_in_the_kernels_that_were_compiled_for_them():
    """The linker merges inline functions of several object files; it must not pick one compiled for AVX for all.

    AVX instructions have names that begin with v, and registers ymm, zmm and from xmm16 on.
    """
    unstripped = sorted(ROOT.glob(f"build/editable-*/{BUILT.name}"), key=lambda path: path.stat().st_mtime)
    if not unstripped:
        pytest.skip("no build folder with symbols; `make build` makes one")
    wide = re.compile(r"^\s*[0-9a-f]+:\s+v[a-z]|%[yz]mm|%xmm(1[6-9]|2\d|3[01])\b")
    function, users = "", set()
    for line in run("objdump", "-d", "--no-show-raw-insn", str(unstripped[-1])).splitlines():
        if line.endswith(">:"):
            function = line
        elif wide.search(line):
            users.add(function)
    assert len(users) > 100, "the kernels use vectors"
    assert [user for user in users if "avx2" not in user and "avx512" not in user] == []


def test_every_instruction_set_is_named_and_a_lower_one_can_be_forced():
    order = ["baseline", "avx2", "avx512"]
    assert cpu.isa() in order
    ask = "from needle.backend_ndarray import ndarray_backend_cpu as cpu; print(cpu.isa())"
    for isa in order[: order.index(cpu.isa()) + 1]:
        assert run(sys.executable, "-c", ask, NEEDLE_ISA=isa).strip() == isa


@pytest.mark.parametrize(("options", "strict"), [((), False), (("-DNEEDLE_STRICT=ON",), True)])
def test_warnings_stop_a_build_only_where_that_is_asked_for(options, strict, tmp_path):
    """Each compiler warns of something else; who wants to use Needle with another one is not to be stopped by that."""
    pytest.importorskip("cmake", reason="CMake is not installed")
    pybind = Path(pytest.importorskip("pybind11").get_cmake_dir())
    paths = [f"-Dpybind11_DIR={pybind}", f"-DPython_EXECUTABLE={sys.executable}"]
    run(sys.executable, "-m", "cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", *paths, *options)
    compiled = [line.split() for line in (tmp_path / "build.ninja").read_text().splitlines() if " -Wall " in line]
    assert len(compiled) > 10 and all(("-Werror" in flags) == strict for flags in compiled)


@pytest.mark.skipif(not EDITABLE.exists(), reason="not an editable install")
def test_course_code_finds_the_extension_with_python_on_the_path_alone():
    script = f"""
import sys
sys.path[:0] = [{str(ROOT / "python")!r}, {sysconfig.get_path("purelib")!r}, {sysconfig.get_path("platlib")!r}]
from needle.backend_ndarray import ndarray_backend_cpu as cpu
print(cpu.__file__)
"""
    # -S: without the hooks of the editable install.
    assert Path(run(sys.executable, "-S", "-c", script, PYTHONPATH="").strip()) == EDITABLE
    assert EDITABLE.read_bytes() == BUILT.read_bytes()
