#!/bin/sh
# Builds the extension with sanitizers and runs the tests of the kernels and of the data files on it.
# Needs Linux and GCC. Usage: tests/build/sanitize.sh PYTHON
set -eu
tools=$(cd "$(dirname "$1")" && pwd)
python=$tools/$(basename "$1")
compiler=${CXX:-c++}

# build NAME SANITIZERS TARGET
build() {
  "$tools/cmake" -S . -B "build/$1" -G Ninja -DCMAKE_MAKE_PROGRAM="$tools/ninja" -DNEEDLE_SANITIZE="$2" \
    -DPython_EXECUTABLE="$python" -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" >/dev/null
  "$tools/cmake" --build "build/$1" --target "$3"
}

echo "== address and undefined behaviour"
build asan address,undefined ndarray_backend_cpu
# Python itself is not instrumented: the sanitizers' libraries, and the one that throws exceptions, are loaded first.
# A `new` that finds no memory ends an instrumented process, so that test of cpu_simple(), which uses it, is left out.
# Python's own leaks are not ours, and a request for too much memory must fail, not end the process.
preload=""
for library in libasan.so libubsan.so libstdc++.so; do
  preload="$preload $("$compiler" -print-file-name=$library)"
done
LD_PRELOAD="$preload" \
  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
  UBSAN_OPTIONS=print_stacktrace=1 \
  NEEDLE_EXTENSION="$(ls "$PWD"/build/asan/ndarray_backend_cpu*.so)" PYTEST_ADDOPTS="-p tests.build.other_extension" \
  "$python" -m pytest -q --numprocesses auto tests/backend_ndarray tests/compiled tests/data --deselect \
  "tests/backend_ndarray/test_ndarray.py::TestMaking::test_of_more_memory_than_there_is_is_a_memory_error_and_the_process_lives_on[cpu_simple()]"

echo "== threads"
build tsan thread thread_check
for isa in baseline avx2 avx512; do
  if NEEDLE_ISA=$isa "$python" -c 'from needle.backend_ndarray import ndarray_backend_cpu' 2>/dev/null; then
    # The thread sanitizer needs its shadow memory where address randomization may put something else.
    NEEDLE_ISA=$isa TSAN_OPTIONS=halt_on_error=1 setarch -R build/tsan/thread_check
  fi
done
