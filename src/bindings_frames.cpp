// Where a Python program is: the calls that are open, as a key by which needle.debug looks up what
// it knows of that place. It is asked for at every event of a recording.
#include <cstdint>

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

bool is_in(PyObject* set, PyObject* member) {
  const int found = PySet_Contains(set, member);
  if (found < 0) throw py::error_already_set();
  return found != 0;
}

// The frame from which a place is counted: behind the first that runs `door`, without those right
// behind it that run `passed`; the innermost if none runs `door`.
Object first_frame(PyObject* door, PyObject* passed) {
  const auto innermost =
      py::reinterpret_borrow<Object>(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  Object frame = innermost;
  while (frame && code_of(frame).ptr() != door) frame = outside(frame);
  if (!frame) return innermost;
  frame = outside(frame);
  for (Py_ssize_t i = 0; frame && i < PyTuple_GET_SIZE(passed); ++i) {
    if (code_of(frame).ptr() == PyTuple_GET_ITEM(passed, i)) frame = outside(frame);
  }
  return frame;
}

PyObject* trail(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 6);
  PyObject *const end = args[2], *const library = args[3], *const users = args[4];
  if (!PyTuple_Check(args[1]) || !PySet_Check(library) || !PySet_Check(users)) {
    throw py::type_error("trail: passed must be a tuple, library and users must be sets");
  }
  std::vector<std::uintptr_t> seen;
  seen.reserve(64);
  Object frame = first_frame(args[0], args[1]);
  for (; frame && frame.ptr() != end; frame = outside(frame)) {
    const Object code = code_of(frame);
    seen.push_back(reinterpret_cast<std::uintptr_t>(code.ptr()));
    seen.push_back(static_cast<std::uintptr_t>(instruction_of(frame)));
    const Object identity = new_reference(PyLong_FromVoidPtr(code.ptr()));
    if (is_in(library, identity.ptr())) continue;
    if (is_in(users, identity.ptr())) break;
    const Object is_users = new_reference(PyObject_CallOneArg(args[5], code.ptr()));
    if (!is_users) throw py::error_already_set();
    if (is_users.ptr() == Py_True) break;
  }
  seen.push_back(frame && frame.ptr() == end);
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(seen.data()),
                                   static_cast<Py_ssize_t>(seen.size() * sizeof(seen[0])));
}

}  // namespace

void add_frames(PyObject* module) {
  static Table table;
  table.add<trail>(
      "trail", "door, passed, end, library, users, is_users",
      "What tells apart where the program is: the instructions of its frames.\n\n"
      "From behind the function whose code is `door`, and behind those of `passed`, out "
      "to the frame `end`, or to the first whose code is the user's.");
  if (PyModule_AddFunctions(module, table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
