// The Python side of Array and View, shared by the binding files.
//
// Arrays, views and kernels are written against Python's C interface: a call with three small views
// takes about 0.1 us, of which pybind11's dispatcher alone would need several times as much. What
// is called seldom goes through pybind11.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "kernels.h"
#include "view.h"

namespace needle::bindings {

namespace py = pybind11;

struct ArrayObject {
  PyObject_HEAD;
  std::shared_ptr<Array> array;
};

struct ViewObject {
  PyObject_HEAD;
  View view;
  PyObject* handle;   // the ArrayObject, or null until somebody asks
  PyObject* shape;    // a tuple, or null until somebody asks
  PyObject* strides;  // the same
  PyObject* stamp;    // what view.stamp gave last, and the version it stands for
  std::int64_t stamped_version;
};

extern PyTypeObject* array_type;
extern PyTypeObject* view_type;

// Makes the two types and adds them to the module.
void add_types(PyObject* module);
// Adds the kernels that are called for every operation.
void add_kernels(PyObject* module);
// Adds the matrix product, and each rung of its ladder.
void add_products(PyObject* module);
// Adds the kernels that do the work of several in one pass.
void add_fused_kernels(PyObject* module);
// Adds the kernels that do a whole step of an optimizer.
void add_steps(PyObject* module);
// Adds the kernel that does a list of elementwise steps, and the type of such a list.
void add_chain(py::module_& module);

// Adds what needle.debug asks at every event of a recording.
void add_debug(PyObject* module);

// Adds what replays recorded kernel calls.
void add_replay(py::module_& module);

// The dtype that a Python string names; TypeError if it is not one.
DType dtype_of(PyObject* name);
// That string. A borrowed reference.
PyObject* name_of(DType dtype);

// Looks up NumPy's C functions: once, while the module is imported.
void load_numpy();
// from_numpy and to_numpy.
void copy_from_numpy(const py::object& array, const py::object& out);
py::object copy_to_numpy(const py::object& a);
// A NumPy array's memory, not copied; it keeps the array alive.
std::shared_ptr<Array> borrow(PyObject* array);
// View.as_numpy and the buffer protocol.
PyObject* view_as_numpy(PyObject* self, PyObject*);
int view_getbuffer(PyObject* self, Py_buffer* buffer, int flags);
void view_releasebuffer(PyObject* self, Py_buffer* buffer);

// "float32 (3, 4)": how errors name an operand.
std::string describe(const View& view);

// The view in a Python object; TypeError, naming the argument, if it is none.
inline const View& view_of(PyObject* object, const char* kernel, const char* argument) {
  if (Py_TYPE(object) != view_type) {
    throw py::type_error(std::string(kernel) + ": " + argument + " must be a View, not " +
                         Py_TYPE(object)->tp_name);
  }
  return reinterpret_cast<ViewObject*>(object)->view;
}

// Runs `body`, which returns a new reference, and turns a C++ exception into the Python one.
template <typename Body>
PyObject* guarded(Body&& body) {
  try {
    return body();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::out_of_range& error) {
    PyErr_SetString(PyExc_IndexError, error.what());
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

// Runs `body`; other Python threads may run beside it if it takes long enough (`work` counts
// elements), because a thread that wants the interpreter back may have to wait for it.
//
// Not a guard object: when the interpreter is ending, PyEval_RestoreThread does not return but
// unwinds the stack of a daemon thread, which no destructor may let pass.
template <typename Body>
void without_gil(std::int64_t work, Body&& body) {
  constexpr std::int64_t kWorthIt = 100000;  // tens of microseconds
  if (work < kWorthIt) {
    body();
    return;
  }
  PyThreadState* state = PyEval_SaveThread();
  try {
    body();
  } catch (...) {
    PyEval_RestoreThread(state);
    throw;
  }
  PyEval_RestoreThread(state);
}

}  // namespace needle::bindings
