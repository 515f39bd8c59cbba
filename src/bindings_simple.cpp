// The Python side of cpu_simple(): the checks that keep a wrong call from harming the process.
#include "bindings_simple.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <typeinfo>

#include "cpu_simple.h"

namespace needle::simple {
namespace {

namespace py = pybind11;
using std::int64_t;

// Checks -----------------------------------------------------------------------------------------

void require_size(const char* kernel, const char* argument, const Array& array, int64_t size) {
  if (array.size == size) return;
  throw std::invalid_argument(std::string(kernel) + ": " + argument + " has " +
                              std::to_string(array.size) + " elements, not " +
                              std::to_string(size));
}

void require_multiples(const char* kernel, const Extents& extents, int64_t multiple) {
  for (const int64_t extent : extents) {
    if (extent >= 0 && extent % multiple == 0) continue;
    throw std::invalid_argument(std::string(kernel) + ": " + std::to_string(extent) +
                                " is no multiple of " + std::to_string(multiple));
  }
}

// Returns the number of elements of a view of `array`, all of which must lie in it.
int64_t require_inside(const char* kernel, const Array& array, const Extents& shape,
                       const Extents& strides, int64_t offset) {
  if (shape.size() != strides.size()) {
    throw std::invalid_argument(std::string(kernel) + ": a view needs a stride for each axis");
  }
  int64_t size = 1, first = offset, last = offset;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < 0) throw std::invalid_argument(std::string(kernel) + ": an extent is < 0");
    const int64_t reach = (shape[axis] - 1) * strides[axis];
    (reach < 0 ? first : last) += reach;
    size *= shape[axis];
  }
  if (size > 0 && (first < 0 || last >= array.size)) {
    throw std::invalid_argument(std::string(kernel) + ": the view reaches from element " +
                                std::to_string(first) + " to " + std::to_string(last) +
                                " of a buffer of " + std::to_string(array.size));
  }
  return size;
}

// Kernels of one form ----------------------------------------------------------------------------

void add_unary(py::module_& module, const char* name, void (*kernel)(const Array&, Array&)) {
  module.def(
      name,
      [name, kernel](const Array& a, Array& out) {
        require_size(name, "out", out, a.size);
        kernel(a, out);
      },
      py::arg("a"), py::arg("out"));
}

void add_binary(py::module_& module, const char* name,
                void (*kernel)(const Array&, const Array&, Array&)) {
  module.def(
      name,
      [name, kernel](const Array& a, const Array& b, Array& out) {
        require_size(name, "b", b, a.size);
        require_size(name, "out", out, a.size);
        kernel(a, b, out);
      },
      py::arg("a"), py::arg("b"), py::arg("out"));
}

void add_scalar(py::module_& module, const char* name,
                void (*kernel)(const Array&, float, Array&)) {
  module.def(
      name,
      [name, kernel](const Array& a, float val, Array& out) {
        require_size(name, "out", out, a.size);
        kernel(a, val, out);
      },
      py::arg("a"), py::arg("val"), py::arg("out"));
}

void add_reduction(py::module_& module, const char* name,
                   void (*kernel)(const Array&, Array&, int64_t)) {
  module.def(
      name,
      [name, kernel](const Array& a, Array& out, int64_t reduce_size) {
        require_size(name, "a", a, out.size * std::max<int64_t>(reduce_size, 1));
        kernel(a, out, reduce_size);
      },
      py::arg("a"), py::arg("out"), py::arg("reduce_size"));
}

struct Product {
  const char* name;
  void (*kernel)(const Array&, const Array&, Array&, int64_t, int64_t, int64_t);
  int64_t multiple;  // of which the extents are

  void operator()(const Array& a, const Array& b, Array& out, int64_t m, int64_t n,
                  int64_t p) const {
    require_multiples(name, {m, n, p}, multiple);
    require_size(name, "a", a, m * n);
    require_size(name, "b", b, n * p);
    require_size(name, "out", out, m * p);
    kernel(a, b, out, m, n, p);
  }
};

void add_product(py::module_& module, const Product& product) {
  module.def(product.name, product, py::arg("a"), py::arg("b"), py::arg("out"), py::arg("m"),
             py::arg("n"), py::arg("p"));
}

void add_cut(py::module_& module, const char* name,
             void (*kernel)(const Array&, Array&, int64_t, int64_t)) {
  module.def(
      name,
      [name, kernel](const Array& a, Array& out, int64_t rows, int64_t cols) {
        require_multiples(name, {rows, cols}, kTile);
        require_size(name, "a", a, rows * cols);
        require_size(name, "out", out, rows * cols);
        kernel(a, out, rows, cols);
      },
      py::arg("a"), py::arg("out"), py::arg("rows"), py::arg("cols"));
}

// Memory -----------------------------------------------------------------------------------------

void from_numpy(const py::array_t<float, py::array::c_style | py::array::forcecast>& a,
                Array& out) {
  require_size("from_numpy", "out", out, a.size());
  std::copy_n(a.data(), out.size, out.data());
}

// A copy: NumPy makes one of memory whose owner it is not told.
py::array_t<float> to_numpy(const Array& a, const Extents& shape, Extents strides, int64_t offset) {
  require_inside("to_numpy", a, shape, strides, offset);
  for (int64_t& stride : strides) stride *= sizeof(float);
  return py::array_t<float>(shape, strides, a.data() + offset);
}

void checked_compact(const Array& a, Array& out, const Extents& shape, const Extents& strides,
                     int64_t offset) {
  require_size("compact", "out", out, require_inside("compact", a, shape, strides, offset));
  compact(a, out, shape, strides, offset);
}

void checked_ewise_setitem(const Array& a, Array& out, const Extents& shape, const Extents& strides,
                           int64_t offset) {
  const char* const name = "ewise_setitem";
  require_size(name, "a", a, require_inside(name, out, shape, strides, offset));
  ewise_setitem(a, out, shape, strides, offset);
}

void checked_scalar_setitem(int64_t size, float val, Array& out, const Extents& shape,
                            const Extents& strides, int64_t offset) {
  if (require_inside("scalar_setitem", out, shape, strides, offset) != size) {
    throw std::invalid_argument("scalar_setitem: size is not the number of elements of the view");
  }
  scalar_setitem(val, out, shape, strides, offset);
}

}  // namespace

void add_to(py::module_& module) {
  module.doc() = "The kernels of cpu_simple(); needle/backend_ndarray/flat.py says what they do.";
  module.attr("__device_name__") = "cpu_simple";
  module.attr("__tile_size__") = kTile;
  // Another extension, built from the same file, may be loaded beside this one.
  py::class_<Array>(module, "Array", py::module_local(), "A flat buffer of floats.")
      .def(py::init([](int64_t size) {
             if (size < 0) throw std::invalid_argument("Array: the size is negative");
             return std::make_unique<Array>(size);
           }),
           py::arg("size"))
      .def_readonly("size", &Array::size)
      .def("ptr", [](Array& array) { return reinterpret_cast<std::uintptr_t>(array.data()); });
  module.def("from_numpy", &from_numpy, py::arg("a"), py::arg("out"));
  module.def("to_numpy", &to_numpy, py::arg("a"), py::arg("shape"), py::arg("strides"),
             py::arg("offset"));
  module.def("fill", &fill, py::arg("out"), py::arg("val"));
  module.def("compact", &checked_compact, py::arg("a"), py::arg("out"), py::arg("shape"),
             py::arg("strides"), py::arg("offset"));
  module.def("ewise_setitem", &checked_ewise_setitem, py::arg("a"), py::arg("out"),
             py::arg("shape"), py::arg("strides"), py::arg("offset"));
  module.def("scalar_setitem", &checked_scalar_setitem, py::arg("size"), py::arg("val"),
             py::arg("out"), py::arg("shape"), py::arg("strides"), py::arg("offset"));
  add_binary(module, "ewise_add", &ewise_add);
  add_binary(module, "ewise_mul", &ewise_mul);
  add_binary(module, "ewise_div", &ewise_div);
  add_binary(module, "ewise_maximum", &ewise_maximum);
  add_binary(module, "ewise_eq", &ewise_eq);
  add_binary(module, "ewise_ge", &ewise_ge);
  add_scalar(module, "scalar_add", &scalar_add);
  add_scalar(module, "scalar_mul", &scalar_mul);
  add_scalar(module, "scalar_div", &scalar_div);
  add_scalar(module, "scalar_maximum", &scalar_maximum);
  add_scalar(module, "scalar_eq", &scalar_eq);
  add_scalar(module, "scalar_ge", &scalar_ge);
  add_scalar(module, "scalar_power", &scalar_power);
  add_unary(module, "ewise_log", &ewise_log);
  add_unary(module, "ewise_exp", &ewise_exp);
  add_unary(module, "ewise_tanh", &ewise_tanh);
  add_reduction(module, "reduce_sum", &reduce_sum);
  add_reduction(module, "reduce_max", &reduce_max);
  add_product(module, {"matmul_naive", &matmul_naive, 1});
  add_cut(module, "to_tiles", &to_tiles);
  add_cut(module, "from_tiles", &from_tiles);
  add_product(module, {"matmul_tiled", &matmul_tiled, kTile});
  add_product(module, {"matmul", &matmul, 1});
}

void translate_unwritten() {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::logic_error& error) {
      if (typeid(error) != typeid(std::logic_error)) throw;
      PyErr_SetString(PyExc_NotImplementedError, error.what());
    }
  });
}

}  // namespace needle::simple

#ifdef NEEDLE_SIMPLE_ALONE
PYBIND11_MODULE(ndarray_backend_cpu_simple, module) {
  needle::simple::translate_unwritten();
  needle::simple::add_to(module);
}
#endif
