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
  // A view of one axis, as long as the last of the first view.
  const View& vector(const char* argument) {
    const View& given = of_same_dtype(argument);
    if (given.ndim != 1 || given.shape[0] != first_->shape[first_->ndim - 1]) {
      reject(argument, "(n,)", given);
    }
    return given;
  }
  // A view without axes.
  const View& scalar(const char* argument) {
    const View& given = of_same_dtype(argument);
    if (given.ndim != 0) reject(argument, "()", given);
    return given;
  }
  double number() { return number_of<double>(*next_++); }
  // Raises unless the first view has that many axes, or more.
  void require_axes(int least, int most = kMaxAxes) const {
    if (first_->ndim < least || first_->ndim > most) {
      throw py::value_error(std::string(kernel_) + ": wrong number of axes: " + describe(*first_));
    }
  }

 private:
  const View& of_same_dtype(const char* argument) {
    const View& given = view_of(*next_++, kernel_, argument);
    require_dtype(kernel_, argument, given, first_->dtype());
    return given;
  }
  [[noreturn]] void reject(const char* argument, const char* wanted, const View& given) const {
    throw py::value_error(std::string(kernel_) + ": " + argument + " must have shape " + wanted +
                          ", not " + describe(given) + " beside " + describe(*first_));
  }

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

// softmax and logsoftmax.
template <auto Kernels::* kernel>
PyObject* of_rows(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 2);
  const View& a = next.view("a");
  const View& out = next.view("out");
  next.require_axes(1);
  without_gil(4 * a.size(), [&] { (kernels().*kernel)(a, out); });
  return written(out);
}

// Their gradients, given their results.
template <auto Kernels::* kernel, int passes>
PyObject* of_rows_gradient(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 3);
  const View& result = next.view("result");
  const View& g = next.view("g");
  const View& out = next.view("out");
  next.require_axes(1);
  without_gil(passes * result.size(), [&] { (kernels().*kernel)(result, g, out); });
  return written(out);
}

PyObject* softmax_loss(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 3);
  const View& z = next.view("z");
  const View& one_hot = next.view("one_hot");
  const View& out = next.scalar("out");
  next.require_axes(2, 2);
  without_gil(4 * z.size(), [&] { kernels().softmax_loss(z, one_hot, out); });
  return written(out);
}

PyObject* softmax_loss_gradient(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 4);
  const View& z = next.view("z");
  const View& one_hot = next.view("one_hot");
  const View& g = next.scalar("g");
  const View& out = next.view("out");
  next.require_axes(2, 2);
  without_gil(4 * z.size(), [&] { kernels().softmax_loss_gradient(z, one_hot, g, out); });
  return written(out);
}

// layer_norm and batch_norm, of matrices; the former of arrays with more axes, too.
template <auto Kernels::* kernel, int most_axes>
PyObject* norm(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 5);
  const View& x = next.view("x");
  next.require_axes(2, most_axes);
  const View& weight = next.vector("weight");
  const View& bias = next.vector("bias");
  const double eps = next.number();
  const View& out = next.view("out");
  without_gil(2 * x.size(), [&] { (kernels().*kernel)(x, weight, bias, eps, out); });
  return written(out);
}

template <auto Kernels::* kernel, int most_axes>
PyObject* norm_gradient(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 7);
  const View& x = next.view("x");
  next.require_axes(2, most_axes);
  const View& weight = next.vector("weight");
  const View& g = next.view("g");
  const double eps = next.number();
  const View& dx = next.view("dx");
  const View& dweight = next.vector("dweight");
  const View& dbias = next.vector("dbias");
  without_gil(4 * x.size(), [&] { (kernels().*kernel)(x, weight, g, eps, dx, dweight, dbias); });
  return written(dx, dweight, dbias);
}

PyObject* moments(const char* name, PyObject* const* args, Py_ssize_t count) {
  Arguments next(name, args, count, 3);
  const View& x = next.view("x");
  next.require_axes(2, 2);
  const View& mean = next.vector("mean");
  const View& var = next.vector("var");
  without_gil(2 * x.size(), [&] { kernels().moments(x, mean, var); });
  return written(mean, var);
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
  table.add<of_rows<&Kernels::softmax>>("softmax", "a, out");
  table.add<of_rows<&Kernels::logsoftmax>>("logsoftmax", "a, out");
  table.add<of_rows_gradient<&Kernels::softmax_gradient, 1>>("softmax_gradient", "result, g, out");
  table.add<of_rows_gradient<&Kernels::logsoftmax_gradient, 4>>("logsoftmax_gradient",
                                                                "result, g, out");
  table.add<softmax_loss>("softmax_loss", "z, one_hot, out");
  table.add<softmax_loss_gradient>("softmax_loss_gradient", "z, one_hot, g, out");
  table.add<norm<&Kernels::layer_norm, kMaxAxes>>("layer_norm", "x, weight, bias, eps, out");
  table.add<norm_gradient<&Kernels::layer_norm_gradient, kMaxAxes>>(
      "layer_norm_gradient", "x, weight, g, eps, dx, dweight, dbias");
  table.add<norm<&Kernels::batch_norm, 2>>("batch_norm", "x, weight, bias, eps, out");
  table.add<norm_gradient<&Kernels::batch_norm_gradient, 2>>(
      "batch_norm_gradient", "x, weight, g, eps, dx, dweight, dbias");
  table.add<moments>("moments", "x, mean, var");
  table.add<sgd_plain>("sgd_plain", "w, g, lr, weight_decay, new_w");
  table.add<sgd>("sgd", "w, g, u, lr, momentum, weight_decay, new_w, new_u");
  table.add<adam>("adam", "w, g, m, v, rate, beta1, beta2, eps, weight_decay, new_w, new_m, new_v");
  if (PyModule_AddFunctions(module, table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
