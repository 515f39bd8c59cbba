// What Python sees of hw0's kernels: the module hw.hw0.simple_ml_cpp. Nothing is to be written
// here.
//
// Each function checks that the arrays fit each other, and hands their memory to the kernel. An
// array of another dtype, or one that is not row after row, pybind11 refuses: a copy would be
// changed in its place.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <typeinfo>

#include "simple_ml.h"

namespace py = pybind11;

namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Labels = py::array_t<unsigned char, py::array::c_style>;

std::string shape_of(const py::array& array) {
  return py::str(array.attr("shape")).cast<std::string>();
}

// Whether a condition on shapes holds; if not, a ValueError that says what was given.
void require(bool holds, const std::string& what, const py::array& a, const py::array& b) {
  if (!holds) {
    throw py::value_error(what + ", not " + shape_of(a) + " and " + shape_of(b));
  }
}

void matmul(const Floats& A, const Floats& B, Floats& C) {
  require(A.ndim() == 2 && B.ndim() == 2 && A.shape(1) == B.shape(0),
          "matmul: A and B must have shapes (m, n) and (n, k)", A, B);
  require(C.ndim() == 2 && C.shape(0) == A.shape(0) && C.shape(1) == B.shape(1),
          "matmul: A and C must have shapes (m, n) and (m, k)", A, C);
  hw0::matmul(A.data(), B.data(), C.mutable_data(), A.shape(0), A.shape(1), B.shape(1));
}

void matmul_transposed(const Floats& A, const Floats& B, Floats& C) {
  require(A.ndim() == 2 && B.ndim() == 2 && A.shape(0) == B.shape(0),
          "matmul_transposed: A and B must have shapes (m, n) and (m, k)", A, B);
  require(C.ndim() == 2 && C.shape(0) == A.shape(1) && C.shape(1) == B.shape(1),
          "matmul_transposed: A and C must have shapes (m, n) and (n, k)", A, C);
  hw0::matmul_transposed(A.data(), B.data(), C.mutable_data(), A.shape(0), A.shape(1), B.shape(1));
}

void softmax_rows(Floats& Z) {
  if (Z.ndim() != 2 || Z.shape(1) < 1) {
    throw py::value_error("softmax_rows: Z must be a matrix with columns, not of shape " +
                          shape_of(Z));
  }
  hw0::softmax_rows(Z.mutable_data(), Z.shape(0), Z.shape(1));
}

void softmax_regression_epoch_cpp(const Floats& X, const Labels& y, Floats& theta, float lr,
                                  py::ssize_t batch) {
  const std::string name = "softmax_regression_epoch_cpp: ";
  require(X.ndim() == 2 && y.ndim() == 1 && X.shape(0) == y.shape(0),
          name + "X and y must have shapes (m, n) and (m,)", X, y);
  require(theta.ndim() == 2 && theta.shape(0) == X.shape(1),
          name + "X and theta must have shapes (m, n) and (n, k)", X, theta);
  if (batch < 1) {
    throw py::value_error(name + "batch must be at least 1, not " + std::to_string(batch));
  }
  for (py::ssize_t i = 0; i < y.shape(0); i++) {
    if (y.at(i) >= theta.shape(1)) {
      throw py::value_error(name + "label " + std::to_string(y.at(i)) + ", but there are " +
                            std::to_string(theta.shape(1)) + " classes");
    }
  }
  hw0::softmax_regression_epoch_cpp(X.data(), y.data(), theta.mutable_data(), X.shape(0),
                                    X.shape(1), theta.shape(1), lr, batch);
}

// A function that is not written yet throws a std::logic_error (and not one of its subclasses).
void not_implemented(std::exception_ptr thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const std::logic_error& error) {
    if (typeid(error) != typeid(std::logic_error)) throw;
    PyErr_SetString(PyExc_NotImplementedError, error.what());
  }
}

}  // namespace

PYBIND11_MODULE(simple_ml_cpp, m) {
  m.doc() = "Softmax regression in C++; arrays are float32, labels uint8.";
  py::register_local_exception_translator(not_implemented);
  m.def("matmul", matmul, "C = A B.", py::arg("A").noconvert(), py::arg("B").noconvert(),
        py::arg("C").noconvert());
  m.def("matmul_transposed", matmul_transposed, "C = A^T B.", py::arg("A").noconvert(),
        py::arg("B").noconvert(), py::arg("C").noconvert());
  m.def("softmax_rows", softmax_rows, "Replace each row of Z by its softmax.",
        py::arg("Z").noconvert());
  m.def("softmax_regression_epoch_cpp", softmax_regression_epoch_cpp,
        "Train softmax regression for one epoch; theta is changed in place.",
        py::arg("X").noconvert(), py::arg("y").noconvert(), py::arg("theta").noconvert(),
        py::arg("lr") = 0.1f, py::arg("batch") = 100);
}
