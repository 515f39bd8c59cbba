// Who holds an array: memory that nobody else holds may be written to.
#pragma once

#include "bindings.h"

namespace needle::bindings {

// How many references of an array, and of its view, are known of.
struct Known {
  Py_ssize_t array, view;
};

// Whether nobody else holds these arrays, which all view one buffer: not the arrays, not their
// views, not the buffer. Memory that is borrowed is somebody else's.
bool unshared(PyObject* const* arrays, Py_ssize_t count, const Known& known);

// The view of an array; null, without an error, if it is no array of this device.
const View* own_view(PyObject* array);

}  // namespace needle::bindings
