// What the Python function of every kernel is made of: checks of its operands, and the function.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "bindings.h"

namespace needle::bindings {

// Checks ------------------------------------------------------------------------------------------

inline bool is_float(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

inline bool same_shape(const View& a, const View& b) {
  if (a.ndim != b.ndim) return false;
  for (int axis = 0; axis < a.ndim; ++axis) {
    if (a.shape[axis] != b.shape[axis]) return false;
  }
  return true;
}

[[noreturn]] inline void shapes_differ(const std::string& kernel, const View& a, const View& b) {
  throw py::value_error(kernel + ": operands must have one shape, not " + describe(a) + " and " +
                        describe(b));
}

[[noreturn]] inline void wrong_dtype(const std::string& kernel, const char* argument,
                                     const View& given, const char* wanted) {
  throw py::type_error(kernel + ": " + argument + " must be " + wanted + ", not " +
                       describe(given));
}

inline void require_shape(const char* kernel, const View& a, const View& b) {
  if (!same_shape(a, b)) shapes_differ(kernel, a, b);
}

inline void require_dtype(const char* kernel, const char* argument, const View& given,
                          DType wanted) {
  if (given.dtype() != wanted) wrong_dtype(kernel, argument, given, dtype_name(wanted));
}

// `out` holds what is left of `a` when some of its axes are reduced to extent 1.
inline void require_reduced(const char* kernel, const View& a, const View& out) {
  bool fits = a.ndim == out.ndim;
  for (int axis = 0; fits && axis < a.ndim; ++axis) {
    fits = out.shape[axis] == a.shape[axis] || out.shape[axis] == 1;
  }
  if (fits) return;
  throw py::value_error(std::string(kernel) + ": out must have the axes of a, or extent 1, not " +
                        describe(out) + " for " + describe(a));
}

inline void require_count(const char* kernel, Py_ssize_t given, Py_ssize_t wanted) {
  if (given == wanted) return;
  throw py::type_error(std::string(kernel) + " takes " + std::to_string(wanted) +
                       " positional arguments, not " + std::to_string(given));
}

inline PyObject* none() { return Py_NewRef(Py_None); }

// Raises the version of what a kernel has written to.
template <typename... Views>
PyObject* written(const Views&... outs) {
  (outs.array->raise_version(), ...);
  return none();
}

// Python numbers as operands ----------------------------------------------------------------------

template <typename T>
T number_of(PyObject* object) {
  if constexpr (std::is_same_v<T, bool>) {
    const int truth = PyObject_IsTrue(object);
    if (truth < 0) throw py::error_already_set();
    return truth != 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    const double value = PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred()) throw py::error_already_set();
    return static_cast<T>(value);
  } else {
    // A float is cut towards zero first; NaN and infinity raise. An int never goes through a float.
    const auto whole = py::reinterpret_steal<py::object>(
        PyFloat_Check(object) ? PyNumber_Long(object) : PyNumber_Index(object));
    if (!whole) throw py::error_already_set();
    const std::int64_t value = PyLong_AsLongLong(whole.ptr());
    if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
      PyErr_Format(PyExc_OverflowError, "%R does not fit a dtype of %d bytes", object,
                   int{sizeof(T)});
      throw py::error_already_set();
    }
    return static_cast<T>(value);
  }
}

// The module's functions --------------------------------------------------------------------------

using Kernel = PyObject* (*)(const char* name, PyObject* const* args, Py_ssize_t count);

struct KernelName {
  std::string name;
  std::string documentation;
};

// What Python calls: a function object whose `self` capsule is not needed, since the kernel is a
// template argument and its name is looked up by it.
template <Kernel kernel>
struct Function {
  static inline const char* name = nullptr;
  static PyObject* call(PyObject*, PyObject* const* args, Py_ssize_t count) {
    return guarded([&] { return kernel(name, args, count); });
  }
};

class Table {
 public:
  template <Kernel kernel>
  void add(const std::string& name, const std::string& arguments,
           const std::string& documentation = "See ndarray_backend_numpy.") {
    const KernelName& entry = names_.emplace_back(
        KernelName{name, name + "(" + arguments + ", /)\n--\n\n" + documentation});
    Function<kernel>::name = entry.name.c_str();
    methods_.push_back(
        {entry.name.c_str(),
         reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&Function<kernel>::call)),
         METH_FASTCALL, entry.documentation.c_str()});
  }
  PyMethodDef* finish() {
    methods_.push_back({nullptr, nullptr, 0, nullptr});
    return methods_.data();
  }

 private:
  std::deque<KernelName> names_;  // Python keeps pointers into both
  std::vector<PyMethodDef> methods_;
};

}  // namespace needle::bindings
