// Steps of optimizers as Python functions: all parameters in one call, where they are.
//
// A kernel for each parameter, called from Python, spends more time on the way than on the numbers
// of a small one. Writing where the old data is asks that nobody else holds it; whoever calls does
// the step parameter by parameter where that is not so.
#include <array>
#include <vector>

#include "bindings_kernels.h"
#include "bindings_sharing.h"

namespace needle::bindings {
namespace {

// What is written to of one parameter, itself and its moments; and its gradient.
template <std::size_t kWritten>
struct Parameter {
  std::array<const View*, kWritten> written;
  const View* grad;
};

// The arrays in the list `data`, kWritten for each parameter, each held by a tensor and by `data`;
// and in the list `grads`. None if a kernel may not write to all of them at once, or takes others.
template <std::size_t kWritten>
std::vector<Parameter<kWritten>> writable(const char* name, PyObject* data, PyObject* grads) {
  if (!PyList_Check(data) || !PyList_Check(grads) ||
      PyList_GET_SIZE(data) != PyList_GET_SIZE(grads) * static_cast<Py_ssize_t>(kWritten)) {
    throw py::type_error(std::string(name) + " takes two lists: arrays, and gradients");
  }
  std::vector<Parameter<kWritten>> found(static_cast<std::size_t>(PyList_GET_SIZE(grads)));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const View* grad = own_view(PyList_GET_ITEM(grads, static_cast<Py_ssize_t>(i)));
    if (!grad || !is_float(grad->dtype())) return {};
    found[i].grad = grad;
    for (std::size_t j = 0; j < kWritten; ++j) {
      PyObject* array = PyList_GET_ITEM(data, static_cast<Py_ssize_t>(i * kWritten + j));
      const View* view = own_view(array);
      if (!view || view->dtype() != grad->dtype() || !same_shape(*view, *grad)) return {};
      if (!is_compact(*view) || !unshared(&array, 1, {2, 1})) return {};
      found[i].written[j] = view;
    }
  }
  return found;
}

// Calls `update` for each of the `parameters`; whether there are any.
template <std::size_t kWritten, typename Update>
PyObject* each(const std::vector<Parameter<kWritten>>& parameters, Update&& update) {
  for (const auto& [written, grad] : parameters) {
    const View& g = *grad;
    if (g.size() == 0) continue;
    const auto& views = written;  // a lambda captures no structured binding
    without_gil(g.size(), [&] { update(views, g); });
    for (const View* view : views) view->array->raise_version();
  }
  return PyBool_FromLong(!parameters.empty());
}

PyObject* sgd_plain_step(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 4);
  const SgdStep step{number_of<double>(args[2]), 0, number_of<double>(args[3])};
  return each(writable<1>(name, args[0], args[1]),
              [&](const auto& x, const View& g) { kernels().sgd_plain(*x[0], g, step, *x[0]); });
}

PyObject* sgd_step(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 5);
  const SgdStep step{number_of<double>(args[2]), number_of<double>(args[3]),
                     number_of<double>(args[4])};
  return each(writable<2>(name, args[0], args[1]), [&](const auto& x, const View& g) {
    kernels().sgd(*x[0], g, *x[1], step, *x[0], *x[1]);
  });
}

PyObject* adam_step(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 7);
  const AdamStep step{number_of<double>(args[2]), number_of<double>(args[3]),
                      number_of<double>(args[4]), number_of<double>(args[5]),
                      number_of<double>(args[6])};
  return each(writable<3>(name, args[0], args[1]), [&](const auto& x, const View& g) {
    kernels().adam(*x[0], g, *x[1], *x[2], step, *x[0], *x[1], *x[2]);
  });
}

}  // namespace

void add_steps(PyObject* module) {
  static Table table;
  const std::string promise =
      "A whole step, if it can be: nobody else holds what it writes to. False: nothing was "
      "done.\n\n"
      "`data` has the arrays of each parameter, itself and its moments, in one list.";
  table.add<sgd_plain_step>("sgd_plain_step", "data, grads, lr, weight_decay", promise);
  table.add<sgd_step>("sgd_step", "data, grads, lr, momentum, weight_decay", promise);
  table.add<adam_step>("adam_step", "data, grads, rate, beta1, beta2, eps, weight_decay", promise);
  if (PyModule_AddFunctions(module, table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
