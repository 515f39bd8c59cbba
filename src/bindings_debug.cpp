// What needle.debug asks at every event of a recording: where the program is, as a key by which it
// looks up what it knows of that place, and what it knows of the nodes that an event is about.
#include <frameobject.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "bindings_kernels.h"

namespace needle::bindings {
namespace {

using Object = py::object;

Object new_reference(PyObject* object) { return py::reinterpret_steal<Object>(object); }

Object outside(const Object& frame) {
  return new_reference(
      reinterpret_cast<PyObject*>(PyFrame_GetBack(reinterpret_cast<PyFrameObject*>(frame.ptr()))));
}

Object code_of(const Object& frame) {
  return new_reference(
      reinterpret_cast<PyObject*>(PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(frame.ptr()))));
}

int instruction_of(const Object& frame) {
  auto* const it = reinterpret_cast<PyFrameObject*>(frame.ptr());
#if PY_VERSION_HEX >= 0x030B0000
  return PyFrame_GetLasti(it);
#else
  return it->f_lasti;
#endif
}

// Whether `code` is the user's: what `ask` said of it, once for each `opinion`. It keeps what it
// was asked.
bool is_users(const Object& code, PyObject* opinion, PyObject* ask) {
  static std::unordered_map<PyObject*, bool> said;
  static PyObject* held = nullptr;
  if (held != opinion) {
    said.clear();
    Py_INCREF(opinion);
    Py_XSETREF(held, opinion);
  }
  const auto known = said.find(code.ptr());
  if (known != said.end()) return known->second;
  const Object answer = new_reference(PyObject_CallOneArg(ask, code.ptr()));
  if (!answer) throw py::error_already_set();
  const bool yes = answer.ptr() == Py_True;
  if (held == opinion) said[code.ptr()] = yes;  // another thread may have come with another
  return yes;
}

PyObject* trail(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 4);
  PyObject *const end = args[1], *const opinion = args[2], *const ask = args[3];
  if (!PyFrame_Check(args[0])) throw py::type_error("trail: it begins at a frame");
  thread_local std::vector<std::uintptr_t> seen;
  seen.clear();
  Object frame = py::reinterpret_borrow<Object>(args[0]);
  for (; frame && frame.ptr() != end; frame = outside(frame)) {
    const Object code = code_of(frame);
    seen.push_back(reinterpret_cast<std::uintptr_t>(code.ptr()));
    seen.push_back(static_cast<std::uintptr_t>(instruction_of(frame)));
    if (is_users(code, opinion, ask)) break;
  }
  seen.push_back(frame && frame.ptr() == end);
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(seen.data()),
                                   static_cast<Py_ssize_t>(seen.size() * sizeof(seen[0])));
}

// The attribute of that name, which is kept interned; empty, without an error, if there is none.
Object attribute(const Object& object, PyObject* name) {
  PyObject* const found = object ? PyObject_GetAttr(object.ptr(), name) : nullptr;
  if (!found) PyErr_Clear();
  return new_reference(found);
}

// Whether nobody has written to the data of `node` since it had the stamp that `stamps` has for
// `number`; false if that takes a longer look.
bool is_as_stamped(PyObject* node, PyObject* number, PyObject* stamps) {
  static PyObject* const data = PyUnicode_InternFromString("cached_data");
  static PyObject* const view = PyUnicode_InternFromString("_view");
  static PyObject* const stamp = PyUnicode_InternFromString("stamp");
  PyObject* const known = PyDict_GetItemWithError(stamps, number);
  if (!known) return true;
  const Object it = py::reinterpret_borrow<Object>(node);
  return attribute(attribute(attribute(it, data), view), stamp).ptr() == known;
}

PyObject* numbers_of(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 3);
  PyObject *const nodes = args[0], *const numbers = args[1], *const stamps = args[2];
  if (!PyTuple_Check(nodes) || !PyDict_Check(numbers) || !PyDict_Check(stamps)) {
    throw py::type_error("numbers_of takes a tuple and two dicts");
  }
  Object found = new_reference(PyTuple_New(PyTuple_GET_SIZE(nodes)));
  if (!found) throw py::error_already_set();
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(nodes); ++i) {
    PyObject* const node = PyTuple_GET_ITEM(nodes, i);
    const Object identity = new_reference(PyLong_FromVoidPtr(node));
    if (!identity) throw py::error_already_set();
    PyObject* const number = PyDict_GetItemWithError(numbers, identity.ptr());
    if (!number || !is_as_stamped(node, number, stamps)) return none();
    PyTuple_SET_ITEM(found.ptr(), i, Py_NewRef(number));
  }
  return found.release().ptr();
}

}  // namespace

void add_debug(PyObject* module) {
  static Table table;
  table.add<trail>("trail", "frame, end, opinion, is_users",
                   "What tells apart where the program is: the instructions of its frames.\n\n"
                   "From `frame` out to the frame `end`, or to the first whose code `is_users`, "
                   "which is asked once of each code and `opinion`.");
  table.add<numbers_of>("numbers_of", "nodes, numbers, stamps",
                        "The numbers that nodes have by their identity, as a tuple.\n\n"
                        "None if one has none, or if its data may have been written or replaced "
                        "since it had the stamp of its number: that takes a longer look.");
  if (PyModule_AddFunctions(module, table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
