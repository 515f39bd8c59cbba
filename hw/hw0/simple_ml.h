// The kernels of hw0, on raw pointers; simple_ml.cpp says what each does. Matrices are row after
// row: element (i, j) of a matrix A with n columns is A[i * n + j].
#pragma once

#include <cstddef>

namespace hw0 {

using std::size_t;

void matmul(const float* A, const float* B, float* C, size_t m, size_t n, size_t k);
void matmul_transposed(const float* A, const float* B, float* C, size_t m, size_t n, size_t k);
void softmax_rows(float* Z, size_t m, size_t k);
void softmax_regression_epoch_cpp(const float* X, const unsigned char* y, float* theta, size_t m,
                                  size_t n, size_t k, float lr, size_t batch);

}  // namespace hw0
