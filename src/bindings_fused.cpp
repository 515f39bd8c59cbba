// The fused kernels as Python functions: what the others need several passes over memory for.
#include "bindings_kernels.h"

namespace needle::bindings {
namespace {

void require_float(const char* name, const char* argument, const View& given) {
  if (!is_float(given.dtype())) wrong_dtype(name, argument, given, "a float");
}

// Arguments of a kernel, taken one after the other.
class Arguments {
 public:
  Arguments(const char* kernel, PyObject* const* args, Py_ssize_t count, Py_ssize_t wanted)
      : kernel_(kernel), next_(args) {
    require_count(kernel, count, wanted);
  }
  // The first view must be of floats, the others of its shape and dtype.
  const View& view(const char* argument) {
    const View& given = view_of(*next_++, kernel_, argument);
    if (first_ == nullptr) {
      require_float(kernel_, argument, given);
      first_ = &given;
    }
    require_dtype(kernel_, argument, given, first_->dtype());
    require_shape(kernel_, *first_, given);
    return given;
  }
  double number() { return number_of<double>(*next_++); }

 private:
  const char* kernel_;
  PyObject* const* next_;
  const View* first_ = nullptr;
};

PyObject* logsumexp(const char* name, PyObject* const* args, Py_ssize_t count) {
  require_count(name, count, 2);
  const View& a = view_of(args[0], name, "a");
  const View& out = view_of(args[1], name, "out");
  require_float(name, "a", a);
  require_dtype(name, "out", out, a.dtype());
  require_reduced(name, a, out);
  without_gil(4 * a.size(), [&] { kernels().logsumexp(a, out); });
  return written(out);
}

PyObject* softmax(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 2);
  const View& a = next.view("a");
  const View& out = next.view("out");
  if (a.ndim == 0) throw py::value_error(std::string(name) + ": a has no axis to sum along");
  without_gil(4 * a.size(), [&] { kernels().softmax(a, out); });
  return written(out);
}

PyObject* sgd_plain(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 5);
  const View& w = next.view("w");
  const View& g = next.view("g");
  const double lr = next.number();
  const SgdStep step{lr, 0, next.number()};
  const View& new_w = next.view("new_w");
  without_gil(w.size(), [&] { kernels().sgd_plain(w, g, step, new_w); });
  return written(new_w);
}

PyObject* sgd(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 8);
  const View& w = next.view("w");
  const View& g = next.view("g");
  const View& u = next.view("u");
  const SgdStep step{next.number(), next.number(), next.number()};
  const View& new_w = next.view("new_w");
  const View& new_u = next.view("new_u");
  without_gil(w.size(), [&] { kernels().sgd(w, g, u, step, new_w, new_u); });
  return written(new_w, new_u);
}

PyObject* adam(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 12);
  const View& w = next.view("w");
  const View& g = next.view("g");
  const View& m = next.view("m");
  const View& v = next.view("v");
  const AdamStep step{next.number(), next.number(), next.number(), next.number(), next.number()};
  const View& new_w = next.view("new_w");
  const View& new_m = next.view("new_m");
  const View& new_v = next.view("new_v");
  without_gil(w.size(), [&] { kernels().adam(w, g, m, v, step, new_w, new_m, new_v); });
  return written(new_w, new_m, new_v);
}

}  // namespace

void add_fused_kernels(PyObject* module) {
  static Table table;
  table.add<logsumexp>("logsumexp", "a, out");
  table.add<softmax>("softmax", "a, out");
  table.add<sgd_plain>("sgd_plain", "w, g, lr, weight_decay, new_w");
  table.add<sgd>("sgd", "w, g, u, lr, momentum, weight_decay, new_w, new_u");
  table.add<adam>("adam", "w, g, m, v, rate, beta1, beta2, eps, weight_decay, new_w, new_m, new_v");
  if (PyModule_AddFunctions(module, table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
