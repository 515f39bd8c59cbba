// Who holds an array, as the reference counts of Python and C++ tell.
#include "bindings_sharing.h"

#include <memory>

namespace needle::bindings {
namespace {

// A new reference; empty, with an error set, if there is none.
py::object view_attribute(PyObject* array) {
  static PyObject* const name = PyUnicode_InternFromString("_view");
  return py::reinterpret_steal<py::object>(PyObject_GetAttr(array, name));
}

}  // namespace

const View* own_view(PyObject* array) {
  const py::object view = view_attribute(array);
  if (!view) PyErr_Clear();  // no data, or several arrays
  if (!view || Py_TYPE(view.ptr()) != view_type) return nullptr;
  return &reinterpret_cast<ViewObject*>(view.ptr())->view;  // which the array keeps alive
}

bool unshared(PyObject* const* arrays, Py_ssize_t count, const Known& known) {
  std::shared_ptr<Array> buffer;
  PyObject* handle = nullptr;
  Py_ssize_t with_handle = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    const auto object = view_attribute(arrays[i]);
    if (!object) throw py::error_already_set();
    if (Py_TYPE(object.ptr()) != view_type) return false;
    const auto* view = reinterpret_cast<ViewObject*>(object.ptr());
    if (Py_REFCNT(arrays[i]) > known.array) return false;
    if (Py_REFCNT(object.ptr()) > known.view + 1) return false;  // one is ours
    if (!buffer) buffer = view->view.array;
    if (buffer != view->view.array || buffer->borrowed()) return false;
    if (view->handle) {
      if (handle && handle != view->handle) return false;
      handle = view->handle;
      ++with_handle;
    }
  }
  if (handle && Py_REFCNT(handle) > with_handle) return false;
  const auto owners = static_cast<long>(count) + (handle ? 1 : 0) + 1;  // and `buffer` here
  return buffer.use_count() <= owners;
}

}  // namespace needle::bindings
