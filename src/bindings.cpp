// The Python module: what it offers beside arrays, views and kernels.
#include "bindings.h"

#include <pybind11/pybind11.h>

#include "bindings_simple.h"
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
  add_products(module.ptr());
  add_fused_kernels(module.ptr());
  add_steps(module.ptr());
  add_chain(module);
  add_debug(module.ptr());
  add_replay(module);
  needle::simple::translate_unwritten();
  py::module_ simple = module.def_submodule("simple");
  needle::simple::add_to(simple);
  module.def("from_numpy", &copy_from_numpy, py::arg("a"), py::arg("out"),
             "out <- a, a NumPy array of the same shape and dtype and of any strides.");
  module.def("to_numpy", &copy_to_numpy, py::arg("a"),
             "A new, compact, writable NumPy array with the elements of `a`.");
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
