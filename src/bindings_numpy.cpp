// Exchange with NumPy and with whatever else reads Python's buffer protocol.
#include <pybind11/numpy.h>

#include <algorithm>
#include <vector>

#include "bindings.h"

namespace needle::bindings {
namespace {

using Flags = py::detail::npy_api::constants;

const char* format_of(DType dtype) {
  constexpr const char* formats[kDTypes] = {"f", "d", "i", sizeof(long) == 8 ? "l" : "q", "B", "?"};
  return formats[static_cast<int>(dtype)];
}

std::vector<py::ssize_t> shape_of(const View& view) {
  return {view.shape.begin(), view.shape.begin() + view.ndim};
}

py::array as_array(const py::handle& object, const char* argument) {
  if (py::isinstance<py::array>(object)) return py::reinterpret_borrow<py::array>(object);
  throw py::type_error(std::string(argument) + " must be a numpy.ndarray, not " +
                       Py_TYPE(object.ptr())->tp_name);
}

// The dtype of a NumPy array; TypeError if Needle has not got it.
DType dtype_of(const py::array& array) {
  const py::dtype dtype = array.dtype();
  const char order = dtype.byteorder();
  if (order == '=' || order == '|') {
    switch (dtype.kind()) {
      case 'f':
        if (dtype.itemsize() == 4) return DType::kFloat32;
        if (dtype.itemsize() == 8) return DType::kFloat64;
        break;
      case 'i':
        if (dtype.itemsize() == 4) return DType::kInt32;
        if (dtype.itemsize() == 8) return DType::kInt64;
        break;
      case 'u':
        if (dtype.itemsize() == 1) return DType::kUInt8;
        break;
      case 'b':
        return DType::kBool;
    }
  }
  throw py::type_error("there is no dtype for NumPy's " + std::string(py::str(dtype)) +
                       "; convert the array with astype first");
}

// A NumPy array's memory as a view; the array must outlive it. Strides that are no whole number of
// elements, or elements at odd addresses, are first copied away into `array`.
View borrowed_view(py::array& array) {
  const DType dtype = dtype_of(array);
  const auto item = static_cast<py::ssize_t>(item_size(dtype));
  bool regular = array.flags() & Flags::NPY_ARRAY_ALIGNED_;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
    regular &= array.strides(axis) % item == 0;
  if (!regular) array = array.attr("copy")();
  void* data = const_cast<void*>(array.data());
  View view;
  view.array = std::make_shared<Array>(data, array.size(), dtype,
                                       std::shared_ptr<void>(std::shared_ptr<void>(), data));
  view.ndim = static_cast<int>(array.ndim());
  for (int axis = 0; axis < view.ndim; ++axis) {
    view.shape[axis] = array.shape(axis);
    view.strides[axis] = array.strides(axis) / item;
  }
  return view;
}

}  // namespace

// pybind11 would do it at the first use, and give the interpreter away meanwhile by a guard object;
// a daemon thread that comes there as the process ends would abort it.
void load_numpy() { py::detail::npy_api::get(); }

std::shared_ptr<Array> borrow(PyObject* object) {
  const py::array array = as_array(object, "Array.borrow: the argument");
  const DType dtype = dtype_of(array);
  constexpr int needed =
      Flags::NPY_ARRAY_C_CONTIGUOUS_ | Flags::NPY_ARRAY_ALIGNED_ | Flags::NPY_ARRAY_WRITEABLE_;
  if ((array.flags() & needed) != needed) {
    throw py::value_error(
        "Array.borrow takes a C-contiguous, aligned, writable array; copy this one first");
  }
  const std::shared_ptr<void> owner(Py_NewRef(object), [](void* owned) {
    if (!Py_IsInitialized()) return;  // the process ends; nobody is left to tell
    const py::gil_scoped_acquire gil;
    Py_DECREF(static_cast<PyObject*>(owned));
  });
  return std::make_shared<Array>(const_cast<void*>(array.data()), array.size(), dtype, owner);
}

void copy_from_numpy(const py::object& object, const py::object& out_object) {
  py::array a = as_array(object, "from_numpy: a");
  const View& out = view_of(out_object.ptr(), "from_numpy", "out");
  if (a.ndim() > kMaxAxes || dtype_of(a) != out.dtype() ||
      !std::equal(a.shape(), a.shape() + a.ndim(), out.shape.begin(),
                  out.shape.begin() + out.ndim)) {
    throw py::value_error("from_numpy: out is " + describe(out) + ", but a is " +
                          std::string(py::str(a.dtype())) + " " +
                          std::string(py::str(a.attr("shape"))));
  }
  const View source = borrowed_view(a);
  without_gil(out.size(), [&] { kernels().copy(source, out); });
  out.array->raise_version();
}

py::object copy_to_numpy(const py::object& object) {
  const View& a = view_of(object.ptr(), "to_numpy", "a");
  py::array result = dispatch(a.dtype(), [&](auto element) -> py::array {
    return py::array(py::dtype::of<decltype(element)>(), shape_of(a));
  });
  const View out = borrowed_view(result);
  without_gil(out.size(), [&] { kernels().copy(a, out); });
  return result;
}

PyObject* view_as_numpy(PyObject* self, PyObject*) {
  return guarded([&] {
    const View& view = reinterpret_cast<ViewObject*>(self)->view;
    const auto item = static_cast<py::ssize_t>(item_size(view.dtype()));
    std::vector<py::ssize_t> strides;
    for (int axis = 0; axis < view.ndim; ++axis) strides.push_back(view.strides[axis] * item);
    return dispatch(view.dtype(), [&](auto element) {
      using T = decltype(element);
      py::array array(py::dtype::of<T>(), shape_of(view), strides, view.data<T>(),
                      py::handle(self));
      py::detail::array_proxy(array.ptr())->flags &= ~Flags::NPY_ARRAY_WRITEABLE_;
      return array.release().ptr();
    });
  });
}

// The buffer protocol, read-only: memoryview(view), numpy.asarray(view).
int view_getbuffer(PyObject* self, Py_buffer* buffer, int flags) {
  const View& view = reinterpret_cast<ViewObject*>(self)->view;
  buffer->obj = nullptr;
  const auto wants = [&](int flag) { return (flags & flag) == flag; };
  const bool c_order = !wants(PyBUF_STRIDES) || wants(PyBUF_C_CONTIGUOUS) ||
                       wants(PyBUF_F_CONTIGUOUS) || wants(PyBUF_ANY_CONTIGUOUS);
  if (wants(PyBUF_WRITABLE) || (wants(PyBUF_F_CONTIGUOUS) && view.ndim > 1) ||
      (c_order && view.size() != 0 && !is_compact(view))) {
    PyErr_SetString(PyExc_BufferError, "a View exports its memory read-only and as it is strided");
    return -1;
  }
  auto* extents = static_cast<Py_ssize_t*>(PyMem_Malloc(2 * kMaxAxes * sizeof(Py_ssize_t)));
  if (!extents) {
    PyErr_NoMemory();
    return -1;
  }
  const auto item = static_cast<Py_ssize_t>(item_size(view.dtype()));
  for (int axis = 0; axis < view.ndim; ++axis) {
    extents[axis] = view.shape[axis];
    extents[kMaxAxes + axis] = view.strides[axis] * item;
  }
  buffer->buf = view.array->data<char>() + view.offset * item;
  buffer->len = view.size() * item;
  buffer->itemsize = item;
  buffer->readonly = 1;
  buffer->ndim = view.ndim;
  buffer->format = wants(PyBUF_FORMAT) ? const_cast<char*>(format_of(view.dtype())) : nullptr;
  buffer->shape = wants(PyBUF_ND) ? extents : nullptr;
  buffer->strides = wants(PyBUF_STRIDES) ? extents + kMaxAxes : nullptr;
  buffer->suboffsets = nullptr;
  buffer->internal = extents;
  buffer->obj = Py_NewRef(self);
  return 0;
}

void view_releasebuffer(PyObject*, Py_buffer* buffer) { PyMem_Free(buffer->internal); }

}  // namespace needle::bindings
