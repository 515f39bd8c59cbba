// The Python module: what it offers beside arrays, views and kernels.
#include "bindings.h"

#include <pybind11/pybind11.h>

#include "memory.h"
#include "parallel.h"

namespace needle::bindings {
namespace {

py::dict memory_stats() {
  const memory::Statistics statistics = memory::statistics();
  py::dict result;
  result["held"] = statistics.held;
  result["in_use"] = statistics.in_use;
  result["peak"] = statistics.peak;
  result["allocations"] = statistics.allocations;
  return result;
}

// The elements of an Array that must hold `rows` x `columns` float32 numbers, cut into tiles.
float* tiles_of(const py::handle& object, const char* argument, std::int64_t rows,
                std::int64_t columns) {
  if (Py_TYPE(object.ptr()) != array_type) {
    throw py::type_error(std::string("matmul_tiled: ") + argument + " must be an Array");
  }
  const Array& array = *reinterpret_cast<ArrayObject*>(object.ptr())->array;
  if (array.dtype() != DType::kFloat32 || array.size() < rows * columns) {
    throw py::value_error(std::string("matmul_tiled: ") + argument + " must hold " +
                          std::to_string(rows) + " x " + std::to_string(columns) +
                          " elements of float32, not " + std::to_string(array.size()) + " of " +
                          dtype_name(array.dtype()));
  }
  return array.data<float>();
}

void multiply_tiles(const py::handle& a, const py::handle& b, const py::handle& out, std::int64_t m,
                    std::int64_t n, std::int64_t p) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;  // so that products of two do not overflow
  for (const std::int64_t extent : {m, n, p}) {
    if (extent < 0 || extent > kMost || extent % kTileSize != 0) {
      throw py::value_error("matmul_tiled: m, n and p must be multiples of the tile size " +
                            std::to_string(kTileSize) + ", not " + std::to_string(extent));
    }
  }
  const float* a_tiles = tiles_of(a, "a", m, n);
  const float* b_tiles = tiles_of(b, "b", n, p);
  float* out_tiles = tiles_of(out, "out", m, p);
  without_gil(m * p, [&] { matmul_tiled(a_tiles, b_tiles, out_tiles, m, n, p); });
  reinterpret_cast<ArrayObject*>(out.ptr())->array->raise_version();
}

}  // namespace
}  // namespace needle::bindings

PYBIND11_MODULE(ndarray_backend_cpu, module) {
  using namespace needle::bindings;
  module.doc() =
      "The kernels of cpu(), in C++; ndarray_backend_numpy states what each of them does.";
  needle::kernels();  // here a wrong NEEDLE_ISA or NEEDLE_NUM_THREADS is reported, not in a kernel
  needle::num_threads();
  load_numpy();

  module.attr("__device_name__") = "cpu";
  module.attr("__tile_size__") = needle::kTileSize;
  add_types(module.ptr());
  add_kernels(module.ptr());
  add_fused_kernels(module.ptr());
  add_replay(module);
  module.def("from_numpy", &copy_from_numpy, py::arg("a"), py::arg("out"),
             "out <- a, a NumPy array of the same shape and dtype and of any strides.");
  module.def("to_numpy", &copy_to_numpy, py::arg("a"),
             "A new, compact, writable NumPy array with the elements of `a`.");
  module.def("matmul_tiled", &multiply_tiles, py::arg("a"), py::arg("b"), py::arg("out"),
             py::arg("m"), py::arg("n"), py::arg("p"),
             "out (m, p) <- a (m, n) b (n, p): Arrays of float32 that hold row-major tiles in "
             "row-major order.");
  module.def(
      "isa", [] { return needle::kernels().isa; },
      "The instruction set of the active kernels: baseline, avx2 or avx512.");
  module.def("num_threads", &needle::num_threads, "How many threads a kernel may use.");
  module.def("set_num_threads", &needle::set_num_threads, py::arg("n"),
             "Let kernels use `n` threads, at least 1.");
  module.def("memory_stats", &memory_stats,
             "Bytes held (taken from the system), in_use and at the peak, and the number of "
             "allocations.");
  module.def("empty_cache", &needle::memory::empty_cache,
             "Give the memory of freed buffers back to the system.");
  module.def("reset_peak", &needle::memory::reset_peak, "Let the peak start from what is in use.");
}
