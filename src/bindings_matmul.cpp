// The matrix product as Python functions: `matmul`, which chooses, and each rung of its ladder.
#include "bindings_kernels.h"

namespace needle::bindings {
namespace {

using Product = void (*)(const View& a, const View& b, const View& out);

void best(const View& a, const View& b, const View& out) { kernels().matmul(a, b, out); }

template <Rung rung>
void only(const View& a, const View& b, const View& out) {
  kernels().matmul_rung(rung, a, b, out);
}

// Checks the operands of a matrix product; the number of multiplications.
std::int64_t require_product(const char* name, const View& a, const View& b, const View& out) {
  if (a.dtype() == DType::kBool) wrong_dtype(name, "a", a, "a number");
  require_dtype(name, "b", b, a.dtype());
  require_dtype(name, "out", out, a.dtype());
  const int row = a.ndim - 2;
  const int column = a.ndim - 1;
  bool fits = row >= 0 && b.ndim == a.ndim && out.ndim == a.ndim;
  for (int axis = 0; fits && axis < row; ++axis) {
    fits = a.shape[axis] == b.shape[axis] && a.shape[axis] == out.shape[axis];
  }
  if (!fits || a.shape[column] != b.shape[row] || out.shape[row] != a.shape[row] ||
      out.shape[column] != b.shape[column]) {
    throw py::value_error(std::string(name) + ": shapes do not fit: " + describe(a) + " @ " +
                          describe(b) + " -> " + describe(out));
  }
  return out.size() * a.shape[column];
}

template <Product product, bool only_floats>
PyObject* matmul(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 3);
  const View& a = view_of(args[0], name, "a");
  const View& b = view_of(args[1], name, "b");
  const View& out = view_of(args[2], name, "out");
  if (only_floats && !is_float(a.dtype())) wrong_dtype(name, "a", a, "a float");
  const std::int64_t products = require_product(name, a, b, out);
  without_gil(products / 16, [&] { product(a, b, out); });
  return written(out);
}

// Tiles that were cut beforehand -----------------------------------------------------------------

// The Array in a Python object, which must hold `rows` x `columns` elements of float32.
Array& tiles_of(PyObject* object, const char* name, const char* argument, std::int64_t rows,
                std::int64_t columns) {
  if (Py_TYPE(object) != array_type) {
    throw py::type_error(std::string(name) + ": " + argument + " must be an Array, not " +
                         Py_TYPE(object)->tp_name);
  }
  Array& array = *reinterpret_cast<ArrayObject*>(object)->array;
  if (array.dtype() != DType::kFloat32 || array.size() < rows * columns) {
    throw py::value_error(std::string(name) + ": " + argument + " must hold " +
                          std::to_string(rows) + " x " + std::to_string(columns) +
                          " elements of float32, not " + std::to_string(array.size()) + " of " +
                          dtype_name(array.dtype()));
  }
  return array;
}

std::int64_t in_tiles(PyObject* object, const char* name) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;  // so that products of two do not overflow
  const auto extent = number_of<std::int64_t>(object);
  if (extent < 0 || extent > kMost || extent % kTileSize != 0) {
    throw py::value_error(std::string(name) + ": m, n and p must be multiples of the tile size " +
                          std::to_string(kTileSize) + ", not " + std::to_string(extent));
  }
  return extent;
}

// Of Views, or of Arrays of tiles with their extents.
PyObject* tiled(const char* name, PyObject* const* args, Py_ssize_t count) {
  if (count != 6) {
    constexpr Product of_views = matmul_tiled;
    return matmul<of_views, true>(name, args, count);
  }
  const std::int64_t m = in_tiles(args[3], name), n = in_tiles(args[4], name),
                     p = in_tiles(args[5], name);
  const float* a = tiles_of(args[0], name, "a", m, n).data<float>();
  const float* b = tiles_of(args[1], name, "b", n, p).data<float>();
  Array& out = tiles_of(args[2], name, "out", m, p);
  without_gil(m * p, [&] { matmul_tiled(a, b, out.data<float>(), m, n, p); });
  out.raise_version();
  return none();
}

}  // namespace

void add_products(PyObject* module) {
  static Table table;
  const std::string arguments = "a, b, out", documentation = "See needle.backend_ndarray.cpu.";
  table.add<matmul<best, false>>("matmul", arguments);
  table.add<matmul<matmul_naive, false>>("matmul_naive", arguments, documentation);
  table.add<tiled>("matmul_tiled", arguments + ", m=None, n=None, p=None", documentation);
  table.add<matmul<only<Rung::kSimd>, true>>("matmul_simd", arguments, documentation);
  table.add<matmul<only<Rung::kPacked>, true>>("matmul_packed", arguments, documentation);
  table.add<matmul<only<Rung::kDot>, true>>("matmul_dot", arguments, documentation);
  if (PyModule_AddFunctions(module, table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
