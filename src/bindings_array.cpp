// The Python types Array (a flat buffer) and View (shape, strides and offset over one).
#include <cstring>
#include <new>

#include "bindings.h"

namespace needle::bindings {

PyTypeObject* array_type = nullptr;
PyTypeObject* view_type = nullptr;

namespace {

PyObject* dtype_names[kDTypes];  // interned, so that a comparison of pointers nearly always decides

// Numbers from Python ----------------------------------------------------------------------------

std::int64_t integer_of(PyObject* object) {
  const std::int64_t value = PyLong_AsLongLong(object);
  if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
  return value;
}

// Reads a tuple (or another sequence) of integers; returns how many. `exact` tells whether the
// object is itself a tuple of plain ints, fit to be handed out again.
int read_extents(PyObject* object, Extents& extents, bool& exact) {
  exact = PyTuple_CheckExact(object);
  const py::object fast = exact ? py::reinterpret_borrow<py::object>(object)
                                : py::reinterpret_steal<py::object>(PySequence_Fast(
                                      object, "shape and strides must be tuples of integers"));
  if (!fast) throw py::error_already_set();
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast.ptr());
  if (count > kMaxAxes) {
    throw py::value_error("a view has at most " + std::to_string(kMaxAxes) + " axes, not " +
                          std::to_string(count));
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(fast.ptr(), i);
    extents[static_cast<std::size_t>(i)] = integer_of(item);
    exact = exact && PyLong_CheckExact(item);
  }
  return static_cast<int>(count);
}

PyObject* tuple_of(const Extents& extents, int count) {
  PyObject* tuple = PyTuple_New(count);
  if (!tuple) return nullptr;
  for (int i = 0; i < count; ++i) {
    PyObject* number = PyLong_FromLongLong(extents[static_cast<std::size_t>(i)]);
    if (!number) {
      Py_DECREF(tuple);
      return nullptr;
    }
    PyTuple_SET_ITEM(tuple, i, number);
  }
  return tuple;
}

std::string text_of(const Extents& extents, int count) {
  std::string text = "(";
  for (int i = 0; i < count; ++i) {
    text += (i ? ", " : "") + std::to_string(extents[static_cast<std::size_t>(i)]);
  }
  return text + (count == 1 ? ",)" : ")");
}

// The number of elements of a shape; ValueError for a negative extent, MemoryError for more
// elements than can be counted.
std::int64_t size_of(const Extents& shape, int ndim) {
  std::int64_t size = 1;
  bool overflow = false;
  bool empty = false;
  for (int axis = 0; axis < ndim; ++axis) {
    if (shape[axis] < 0) {
      throw py::value_error("an extent cannot be negative: shape " + text_of(shape, ndim));
    }
    empty |= shape[axis] == 0;
    overflow |= __builtin_mul_overflow(size, shape[axis], &size);
  }
  if (empty) return 0;
  if (overflow) throw std::bad_alloc();
  return size;
}

// ValueError unless every element of the view lies inside its buffer. A view without elements may
// begin anywhere: a slice past the end does.
void check_bounds(const View& view) {
  if (size_of(view.shape, view.ndim) == 0) return;
  std::int64_t first = view.offset;
  std::int64_t last = view.offset;
  bool overflow = false;
  for (int axis = 0; axis < view.ndim; ++axis) {
    std::int64_t reach;
    overflow |= __builtin_mul_overflow(view.shape[axis] - 1, view.strides[axis], &reach);
    std::int64_t& end = reach < 0 ? first : last;
    overflow |= __builtin_add_overflow(end, reach, &end);
  }
  const std::int64_t size = view.array->size();
  if (overflow || first < 0 || last >= size) {
    throw py::value_error("a view of shape " + text_of(view.shape, view.ndim) + ", strides " +
                          text_of(view.strides, view.ndim) + " and offset " +
                          std::to_string(view.offset) + " does not fit a buffer of " +
                          std::to_string(size) + " elements");
  }
}

// Array ------------------------------------------------------------------------------------------

ArrayObject* as_array(PyObject* object) { return reinterpret_cast<ArrayObject*>(object); }

PyObject* wrap(std::shared_ptr<Array> array) {
  PyObject* self = array_type->tp_alloc(array_type, 0);
  if (self) new (&as_array(self)->array) std::shared_ptr<Array>(std::move(array));
  return self;
}

PyObject* array_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    static const char* names[] = {"size", "dtype", nullptr};
    Py_ssize_t size;
    PyObject* dtype = dtype_names[0];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|O:Array", const_cast<char**>(names), &size,
                                     &dtype)) {
      return nullptr;
    }
    return wrap(std::make_shared<Array>(size, dtype_of(dtype)));
  });
}

void array_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  as_array(self)->array.~shared_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* array_borrow(PyObject*, PyObject* object) {
  return guarded([&] { return wrap(borrow(object)); });
}

PyObject* array_ptr(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(as_array(self)->array->ptr());
}

PyObject* array_size(PyObject* self, void*) {
  return PyLong_FromLongLong(as_array(self)->array->size());
}
PyObject* array_nbytes(PyObject* self, void*) {
  return PyLong_FromSize_t(as_array(self)->array->nbytes());
}
PyObject* array_borrowed(PyObject* self, void*) {
  return PyBool_FromLong(as_array(self)->array->borrowed());
}
PyObject* array_version(PyObject* self, void*) {
  return PyLong_FromLongLong(as_array(self)->array->version());
}
PyObject* array_dtype(PyObject* self, void*) {
  return Py_NewRef(name_of(as_array(self)->array->dtype()));
}

PyObject* array_repr(PyObject* self) {
  const Array& array = *as_array(self)->array;
  return PyUnicode_FromFormat("Array(%lld, '%s')", static_cast<long long>(array.size()),
                              dtype_name(array.dtype()));
}

PyMethodDef array_methods[] = {
    {"borrow", array_borrow, METH_O | METH_CLASS,
     "Wrap the memory of a C-contiguous, writable NumPy array without copying it; keeps it alive."},
    {"ptr", array_ptr, METH_NOARGS, "The address of the first element."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef array_getters[] = {
    {"size", array_size, nullptr, "How many elements it holds.", nullptr},
    {"dtype", array_dtype, nullptr, "The dtype's name.", nullptr},
    {"nbytes", array_nbytes, nullptr, "How many bytes its elements take.", nullptr},
    {"borrowed", array_borrowed, nullptr, "Whether it is somebody else's memory.", nullptr},
    {"version", array_version, nullptr, "How many kernels have written to it.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot array_slots[] = {
    {Py_tp_doc, const_cast<char*>("Array(size, dtype='float32')\n--\n\n"
                                  "A flat buffer of `size` elements, uninitialised when made.")},
    {Py_tp_new, reinterpret_cast<void*>(array_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(array_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(array_repr)},
    {Py_tp_methods, array_methods},
    {Py_tp_getset, array_getters},
    {0, nullptr}};

PyType_Spec array_spec = {"needle.backend_ndarray.ndarray_backend_cpu.Array", sizeof(ArrayObject),
                          0, Py_TPFLAGS_DEFAULT, array_slots};

// View -------------------------------------------------------------------------------------------

ViewObject* as_view(PyObject* object) { return reinterpret_cast<ViewObject*>(object); }

// A new View object without a buffer yet; frees itself if an exception passes.
struct NewView {
  py::object object;
  View& view;

  NewView()
      : object(py::reinterpret_steal<py::object>(allocate())), view(as_view(object.ptr())->view) {}

  // Not by tp_alloc, which would clear what the constructor of View clears.
  static PyObject* allocate() {
    ViewObject* self = PyObject_New(ViewObject, view_type);
    if (!self) throw py::error_already_set();
    new (&self->view) View;
    self->handle = self->shape = self->strides = self->stamp = nullptr;
    return reinterpret_cast<PyObject*>(self);
  }
  PyObject* release() { return object.release().ptr(); }
};

// The arguments of a call by position and by name, in the order of `parameters`; those that were
// not given stay null. TypeError for too many, unknown, doubled or (of the first `required`)
// missing ones.
template <std::size_t n>
std::array<PyObject*, n> arguments_of(const char* (&&parameters)[n], std::size_t required,
                                      PyObject* const* args, Py_ssize_t count, PyObject* names) {
  std::array<PyObject*, n> values{};
  bool fits = count <= static_cast<Py_ssize_t>(n);
  for (Py_ssize_t i = 0; fits && i < count; ++i) values[static_cast<std::size_t>(i)] = args[i];
  for (Py_ssize_t i = 0; fits && names && i < PyTuple_GET_SIZE(names); ++i) {
    std::size_t k = 0;
    while (k < n && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), parameters[k]))
      ++k;
    fits = k < n && !values[k];
    if (fits) values[k] = args[count + i];
  }
  for (std::size_t k = 0; k < required; ++k) fits &= values[k] != nullptr;
  if (fits) return values;
  std::string text = "the arguments are";
  for (std::size_t k = 0; k < n; ++k) {
    text += std::string(k ? ", " : " ") + parameters[k] + (k < required ? "" : " (optional)");
  }
  throw py::type_error(text);
}

PyObject* view_vectorcall(PyObject*, PyObject* const* args, std::size_t flags, PyObject* names) {
  return guarded([&]() -> PyObject* {
    const auto [handle, shape, strides, offset] = arguments_of(
        {"handle", "shape", "strides", "offset"}, 3, args, PyVectorcall_NARGS(flags), names);
    if (Py_TYPE(handle) != array_type) {
      throw py::type_error("View: handle must be an Array, not " +
                           std::string(Py_TYPE(handle)->tp_name));
    }
    NewView made;
    View& view = made.view;
    bool shape_is_exact;
    bool strides_are_exact;
    view.array = as_array(handle)->array;
    view.ndim = read_extents(shape, view.shape, shape_is_exact);
    if (read_extents(strides, view.strides, strides_are_exact) != view.ndim) {
      throw py::value_error("View: shape and strides must have the same length");
    }
    if (offset) view.offset = integer_of(offset);
    check_bounds(view);
    ViewObject* self = as_view(made.object.ptr());
    self->handle = Py_NewRef(handle);
    if (shape_is_exact) self->shape = Py_NewRef(shape);
    if (strides_are_exact) self->strides = Py_NewRef(strides);
    return made.release();
  });
}

PyObject* view_alloc(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    const auto [shape, dtype] = arguments_of({"shape", "dtype"}, 1, args, count, names);
    NewView made;
    View& view = made.view;
    bool exact;
    view.ndim = read_extents(shape, view.shape, exact);
    const std::int64_t size = size_of(view.shape, view.ndim);
    std::int64_t stride = 1;
    for (int axis = view.ndim - 1; axis >= 0; --axis) {
      view.strides[axis] = stride;
      static_cast<void>(__builtin_mul_overflow(stride, view.shape[axis], &stride));
    }
    view.array = std::make_shared<Array>(size, dtype ? dtype_of(dtype) : DType::kFloat32);
    if (exact) as_view(made.object.ptr())->shape = Py_NewRef(shape);
    return made.release();
  });
}

void view_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  ViewObject* view = as_view(self);
  Py_XDECREF(view->handle);
  Py_XDECREF(view->shape);
  Py_XDECREF(view->strides);
  Py_XDECREF(view->stamp);
  view->view.~View();
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* view_handle(PyObject* self, void*) {
  ViewObject* view = as_view(self);
  if (!view->handle) view->handle = wrap(view->view.array);
  return Py_XNewRef(view->handle);
}
PyObject* view_shape(PyObject* self, void*) {
  ViewObject* view = as_view(self);
  if (!view->shape) view->shape = tuple_of(view->view.shape, view->view.ndim);
  return Py_XNewRef(view->shape);
}
PyObject* view_strides(PyObject* self, void*) {
  ViewObject* view = as_view(self);
  if (!view->strides) view->strides = tuple_of(view->view.strides, view->view.ndim);
  return Py_XNewRef(view->strides);
}
PyObject* view_offset(PyObject* self, void*) {
  return PyLong_FromLongLong(as_view(self)->view.offset);
}
PyObject* view_dtype(PyObject* self, void*) {
  return Py_NewRef(name_of(as_view(self)->view.dtype()));
}
PyObject* view_nbytes(PyObject* self, void*) {
  const View& view = as_view(self)->view;
  return PyLong_FromSize_t(static_cast<std::size_t>(view.size()) * item_size(view.dtype()));
}
PyObject* view_version(PyObject* self, void*) {
  return PyLong_FromLongLong(as_view(self)->view.array->version());
}
// A plain object() stands for the view and its buffer's version: it is compared by address, kept
// from one call to the next, and the garbage collector need not look at it.
PyObject* view_stamp(PyObject* self, void*) {
  ViewObject* view = as_view(self);
  const std::int64_t version = view->view.array->version();
  if (!view->stamp || view->stamped_version != version) {
    PyObject* stamp = PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type));
    if (!stamp) return nullptr;
    Py_XSETREF(view->stamp, stamp);
    view->stamped_version = version;
  }
  return Py_NewRef(view->stamp);
}

// Of no elements, or of others than float32, `is_finite` is false.
Summary summary_of(const View& view) {
  if (view.dtype() != DType::kFloat32 || view.size() == 0) return {};
  return kernels().summarize(view);
}

PyObject* view_is_finite(PyObject* self, PyObject*) {
  return guarded([&] { return PyBool_FromLong(summary_of(as_view(self)->view).is_finite); });
}

PyObject* view_summary(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const View& view = as_view(self)->view;
    const std::int64_t size = view.size();
    const Summary found = summary_of(view);
    if (!found.is_finite) Py_RETURN_NONE;
    return Py_BuildValue("(dddLL)", found.minimum, found.maximum, found.mean,
                         static_cast<long long>(found.zeros), static_cast<long long>(size));
  });
}

PyObject* view_footprint(PyObject* self, PyObject*) {
  const View& view = as_view(self)->view;
  const std::size_t nbytes = static_cast<std::size_t>(view.size()) * item_size(view.dtype());
  if (view.array->borrowed() || nbytes == 0 || view.array->nbytes() > 2 * nbytes) Py_RETURN_NONE;
  PyObject* const pair = PyTuple_New(2);
  if (pair == nullptr) return nullptr;
  PyTuple_SET_ITEM(pair, 0, PyLong_FromSize_t(nbytes));
  PyTuple_SET_ITEM(pair, 1, PyLong_FromUnsignedLongLong(view.array->ptr()));
  return pair;
}

PyObject* view_repr(PyObject* self) {
  return guarded([&] {
    const View& view = as_view(self)->view;
    const std::string text = "View(shape=" + text_of(view.shape, view.ndim) +
                             ", strides=" + text_of(view.strides, view.ndim) +
                             ", offset=" + std::to_string(view.offset) + ", dtype='" +
                             dtype_name(view.dtype()) + "')";
    return PyUnicode_FromString(text.c_str());
  });
}

PyMethodDef view_methods[] = {
    {"alloc", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(view_alloc)),
     METH_FASTCALL | METH_KEYWORDS | METH_STATIC,
     "alloc(shape, dtype='float32')\n--\n\nA compact (row-major) view of a new buffer."},
    {"as_numpy", view_as_numpy, METH_NOARGS,
     "A read-only NumPy array over the same memory, which it keeps alive. No copy."},
    {"footprint", view_footprint, METH_NOARGS,
     "Its bytes and its buffer's address; None if that is another's, or over twice as large."},
    {"is_finite", view_is_finite, METH_NOARGS,
     "Whether there are elements, float32, and all are finite."},
    {"summary", view_summary, METH_NOARGS,
     "Minimum, maximum, mean, zeros and size; None unless all are finite float32."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef view_getters[] = {
    {"handle", view_handle, nullptr, "The Array it is a view of.", nullptr},
    {"shape", view_shape, nullptr, "The extents of its axes.", nullptr},
    {"strides", view_strides, nullptr, "Elements from one index to the next, for each axis.",
     nullptr},
    {"offset", view_offset, nullptr, "The element of the buffer at which all indices are 0.",
     nullptr},
    {"dtype", view_dtype, nullptr, "The dtype's name.", nullptr},
    {"nbytes", view_nbytes, nullptr, "How many bytes its elements take.", nullptr},
    {"version", view_version, nullptr, "How many kernels have written to its buffer.", nullptr},
    {"stamp", view_stamp, nullptr, "Equal for the same view while nobody writes to its buffer.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot view_slots[] = {
    {Py_tp_doc, const_cast<char*>("View(handle, shape, strides, offset=0)\n--\n\n"
                                  "Shape, strides and offset (in elements) over an Array.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(view_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(view_repr)},
    {Py_tp_methods, view_methods},
    {Py_tp_getset, view_getters},
    {Py_bf_getbuffer, reinterpret_cast<void*>(view_getbuffer)},
    {Py_bf_releasebuffer, reinterpret_cast<void*>(view_releasebuffer)},
    {0, nullptr}};

PyType_Spec view_spec = {"needle.backend_ndarray.ndarray_backend_cpu.View", sizeof(ViewObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, view_slots};

PyTypeObject* add_type(PyObject* module, PyType_Spec& spec, const char* name) {
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) throw py::error_already_set();
  if (PyModule_AddObjectRef(module, name, type) != 0) throw py::error_already_set();
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

DType dtype_of(PyObject* name) {
  for (int i = 0; i < kDTypes; ++i) {
    if (name == dtype_names[i]) return static_cast<DType>(i);
  }
  if (!PyUnicode_Check(name)) {
    throw py::type_error("a dtype is given by its name, such as 'float32', not by a " +
                         std::string(Py_TYPE(name)->tp_name));
  }
  try {
    const char* text = PyUnicode_AsUTF8(name);
    if (!text) throw py::error_already_set();
    return dtype_from_name(text);
  } catch (const std::invalid_argument& error) {
    throw py::type_error(error.what());
  }
}

PyObject* name_of(DType dtype) { return dtype_names[static_cast<int>(dtype)]; }

std::string describe(const View& view) {
  return std::string(dtype_name(view.dtype())) + " " + text_of(view.shape, view.ndim);
}

void add_types(PyObject* module) {
  for (int i = 0; i < kDTypes; ++i) {
    dtype_names[i] = PyUnicode_InternFromString(dtype_name(static_cast<DType>(i)));
    if (!dtype_names[i]) throw py::error_already_set();
  }
  array_type = add_type(module, array_spec, "Array");
  view_type = add_type(module, view_spec, "View");
  view_type->tp_vectorcall = view_vectorcall;
}

}  // namespace needle::bindings
