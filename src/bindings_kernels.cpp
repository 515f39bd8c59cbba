// The kernels as Python functions: operands are checked, the version of `out` is raised, the GIL is
// released where that pays.
//
// The checks are what keeps a Python caller from crashing the process: a View lies inside its
// buffer, and operands that agree in shape and dtype are all that a kernel relies on.
#include "bindings_kernels.h"

#include <algorithm>
#include <utility>

namespace needle::bindings {
namespace {

constexpr const char* kUnaryNames[] = {"neg",  "abs",  "sign", "relu", "log",    "exp",
                                       "tanh", "sqrt", "sin",  "cos",  "sigmoid"};
constexpr const char* kBinaryNames[] = {"add", "sub", "mul", "div", "power", "maximum", "minimum",
                                        "eq",  "ne",  "ge",  "gt",  "le",    "lt"};
constexpr const char* kReductionNames[] = {"sum", "max", "min", "argmax"};
constexpr std::size_t kUnaries = std::size(kUnaryNames);
constexpr std::size_t kBinaries = std::size(kBinaryNames);
constexpr std::size_t kReductions = std::size(kReductionNames);

// Checks -----------------------------------------------------------------------------------------

bool defined_for(Unary op, DType dtype) {
  switch (op) {
    case Unary::kNeg:
    case Unary::kAbs:
    case Unary::kSign:
    case Unary::kRelu:
      return dtype != DType::kBool;
    default:
      return is_float(dtype);
  }
}

bool defined_for(Binary op, DType dtype) {
  switch (op) {
    case Binary::kDiv:
      return is_float(dtype);
    case Binary::kSub:
    case Binary::kPower:
      return dtype != DType::kBool;
    default:
      return true;
  }
}

DType result_dtype(Binary op, DType dtype) {
  if (op < Binary::kEq) return dtype;
  return dtype == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
}

DType result_dtype(Reduction op, DType dtype) {
  if (op == Reduction::kArgmax) return DType::kInt64;
  return op == Reduction::kSum && !is_float(dtype) ? DType::kInt64 : dtype;
}

// Python numbers as operands ---------------------------------------------------------------------

// A Python number as a view of the shape of `like`, all strides 0. It lives on the stack: neither
// the shared pointers nor the Array in it own anything.
class Scalar {
 public:
  Scalar(PyObject* number, const View& like)
      : array_(bytes_, 1, like.dtype(), std::shared_ptr<void>(std::shared_ptr<void>(), bytes_)) {
    dispatch(like.dtype(), [&](auto element) {
      using T = decltype(element);
      new (bytes_) T(number_of<T>(number));
    });
    view_.array = std::shared_ptr<Array>(std::shared_ptr<void>(), &array_);
    view_.ndim = like.ndim;
    std::copy_n(like.shape.begin(), like.ndim, view_.shape.begin());
  }
  Scalar(const Scalar&) = delete;
  Scalar& operator=(const Scalar&) = delete;

  const View& view() const { return view_; }

 private:
  alignas(8) unsigned char bytes_[8];
  Array array_;
  View view_;
};

// Elementwise ------------------------------------------------------------------------------------

// The functions that take an operator are compiled once; the templates only name it.

PyObject* run_unary(Unary op, const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 2);
  const View& a = view_of(args[0], name, "a");
  const View& out = view_of(args[1], name, "out");
  if (!defined_for(op, a.dtype())) {
    wrong_dtype(name, "a", a, defined_for(op, DType::kInt64) ? "a number" : "a float");
  }
  require_dtype(name, "out", out, a.dtype());
  require_shape(name, a, out);
  without_gil(out.size(), [&] { kernels().unary(op, a, out); });
  return written(out);
}

template <Unary op>
PyObject* ewise_unary(const char* name, PyObject* const* args, Py_ssize_t count) {
  return run_unary(op, name, args, count);
}

void run_binary(Binary op, const char* name, const View& a, const View& b, const View& out) {
  if (!defined_for(op, a.dtype())) {
    wrong_dtype(name, "a", a, op == Binary::kDiv ? "a float" : "a number");
  }
  require_dtype(name, "b", b, a.dtype());
  require_dtype(name, "out", out, result_dtype(op, a.dtype()));
  require_shape(name, a, b);
  require_shape(name, a, out);
  without_gil(out.size(), [&] { kernels().binary(op, a, b, out); });
}

PyObject* run_ewise(Binary op, const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 3);
  const View& out = view_of(args[2], name, "out");
  run_binary(op, name, view_of(args[0], name, "a"), view_of(args[1], name, "b"), out);
  return written(out);
}

PyObject* run_scalar(Binary op, bool reversed, const char* name, PyObject* const* args,
                     Py_ssize_t count) {
  require_count(name, count, 3);
  const View& a = view_of(args[0], name, "a");
  const View& out = view_of(args[2], name, "out");
  const Scalar scalar(args[1], a);
  if (reversed) {
    run_binary(op, name, scalar.view(), a, out);
  } else {
    run_binary(op, name, a, scalar.view(), out);
  }
  return written(out);
}

template <Binary op>
PyObject* ewise_binary(const char* name, PyObject* const* args, Py_ssize_t count) {
  return run_ewise(op, name, args, count);
}

template <Binary op, bool reversed>
PyObject* scalar_binary(const char* name, PyObject* const* args, Py_ssize_t count) {
  return run_scalar(op, reversed, name, args, count);
}

PyObject* where(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 4);
  const View& condition = view_of(args[0], name, "condition");
  const View& a = view_of(args[1], name, "a");
  const View& b = view_of(args[2], name, "b");
  const View& out = view_of(args[3], name, "out");
  require_dtype(name, "condition", condition, DType::kBool);
  require_dtype(name, "b", b, a.dtype());
  require_dtype(name, "out", out, a.dtype());
  require_shape(name, a, condition);
  require_shape(name, a, b);
  require_shape(name, a, out);
  without_gil(out.size(), [&] { kernels().where(condition, a, b, out); });
  return written(out);
}

PyObject* copy(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 2);
  const View& a = view_of(args[0], name, "a");
  const View& out = view_of(args[1], name, "out");
  require_shape(name, a, out);
  without_gil(out.size(), [&] { kernels().copy(a, out); });
  return written(out);
}

PyObject* fill(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 2);
  const View& out = view_of(args[0], name, "out");
  const Scalar scalar(args[1], out);
  without_gil(out.size(), [&] { kernels().copy(scalar.view(), out); });
  return written(out);
}

// Reductions -------------------------------------------------------------------------------------

template <Reduction op>
PyObject* reduce(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 2);
  const View& a = view_of(args[0], name, "a");
  const View& out = view_of(args[1], name, "out");
  require_dtype(name, "out", out, result_dtype(op, a.dtype()));
  require_reduced(name, a, out);
  if (op != Reduction::kSum && a.size() == 0 && out.size() != 0) {
    throw py::value_error(std::string(name) + ": nothing to choose from in " + describe(a));
  }
  without_gil(a.size(), [&] { kernels().reduce(op, a, out); });
  return written(out);
}

// Indexing ---------------------------------------------------------------------------------------

// gather (a, indices, axis, out) and scatter_add: `chosen` is the operand that has as many elements
// along `axis` as there are indices, `source` the one that the indices point into.
int require_indexed(const char* name, const View& chosen, const View& source, const View& indices,
                    PyObject* axis_object) {
  const long axis = PyLong_AsLong(axis_object);
  if (axis == -1 && PyErr_Occurred()) throw py::error_already_set();
  require_dtype(name, "indices", indices, DType::kInt64);
  if (chosen.dtype() != source.dtype())
    wrong_dtype(name, "out", chosen, dtype_name(source.dtype()));
  if (axis < 0 || axis >= source.ndim) {
    throw py::value_error(std::string(name) + ": there is no axis " + std::to_string(axis) +
                          " in " + describe(source));
  }
  bool fits = indices.ndim == 1 && chosen.ndim == source.ndim;
  for (int i = 0; fits && i < source.ndim; ++i) {
    fits = chosen.shape[i] == (i == axis ? indices.shape[0] : source.shape[i]);
  }
  if (!fits) {
    throw py::value_error(std::string(name) + ": shapes do not fit: " + describe(source) +
                          " indexed along axis " + std::to_string(axis) + " by " +
                          describe(indices) + " is not " + describe(chosen));
  }
  return static_cast<int>(axis);
}

PyObject* gather(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 4);
  const View& a = view_of(args[0], name, "a");
  const View& indices = view_of(args[1], name, "indices");
  const View& out = view_of(args[3], name, "out");
  const int axis = require_indexed(name, out, a, indices, args[2]);
  without_gil(out.size(), [&] { needle::gather(a, indices, axis, out); });
  return written(out);
}

PyObject* scatter_add(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 4);
  const View& a = view_of(args[0], name, "a");
  const View& indices = view_of(args[1], name, "indices");
  const View& out = view_of(args[3], name, "out");
  const int axis = require_indexed(name, a, out, indices, args[2]);
  without_gil(a.size(), [&] { needle::scatter_add(a, indices, axis, out); });
  return written(out);
}

PyObject* set_one_hot(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 2);
  const View& indices = view_of(args[0], name, "indices");
  const View& out = view_of(args[1], name, "out");
  if (indices.ndim != 1 || out.ndim != 2 || out.shape[0] != indices.shape[0]) {
    throw py::value_error(std::string(name) + ": out must be (n, k) for n indices, not " +
                          describe(out) + " for " + describe(indices));
  }
  without_gil(out.size(), [&] { needle::set_one_hot(indices, out); });
  return written(out);
}

template <std::size_t... i>
void add_unary(Table& table, std::index_sequence<i...>) {
  (table.add<ewise_unary<static_cast<Unary>(i)>>(std::string("ewise_") + kUnaryNames[i], "a, out"),
   ...);
}

template <std::size_t... i>
void add_binary(Table& table, std::index_sequence<i...>) {
  (table.add<ewise_binary<static_cast<Binary>(i)>>(std::string("ewise_") + kBinaryNames[i],
                                                   "a, b, out"),
   ...);
  (table.add<scalar_binary<static_cast<Binary>(i), false>>(std::string("scalar_") + kBinaryNames[i],
                                                           "a, value, out"),
   ...);
}

template <std::size_t... i>
void add_reductions(Table& table, std::index_sequence<i...>) {
  (table.add<reduce<static_cast<Reduction>(i)>>(std::string("reduce_") + kReductionNames[i],
                                                "a, out"),
   ...);
}

}  // namespace

void add_kernels(PyObject* module) {
  static Table table;
  add_unary(table, std::make_index_sequence<kUnaries>());
  add_binary(table, std::make_index_sequence<kBinaries>());
  table.add<scalar_binary<Binary::kSub, true>>("scalar_rsub", "a, value, out");
  table.add<scalar_binary<Binary::kDiv, true>>("scalar_rdiv", "a, value, out");
  table.add<scalar_binary<Binary::kPower, true>>("scalar_rpower", "a, value, out");
  add_reductions(table, std::make_index_sequence<kReductions>());
  table.add<where>("where", "condition, a, b, out");
  table.add<copy>("copy", "a, out");
  table.add<gather>("gather", "a, indices, axis, out");
  table.add<scatter_add>("scatter_add", "a, indices, axis, out");
  table.add<set_one_hot>("set_one_hot", "indices, out");
  table.add<fill>("fill", "out, value");
  if (PyModule_AddFunctions(module, table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
