// The Python side of cpu_simple(), and what its module shares with the library's own extension.
#pragma once

#include <pybind11/pybind11.h>

namespace needle::simple {

// Adds Array and the kernels of cpu_simple() to a module.
void add_to(pybind11::module_& module);

// Lets a function that is still to be written, which throws std::logic_error (itself, and not one
// of the types derived from it), raise NotImplementedError in Python. For one extension module.
void translate_unwritten();

}  // namespace needle::simple
