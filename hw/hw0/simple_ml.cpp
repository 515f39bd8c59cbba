// Softmax regression in C++. Matrices are row after row in memory: element (i, j) of a matrix A
// with n columns is A[i * n + j].
#include "simple_ml.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace hw0 {

// C = A B, for A (m x n), B (n x k), C (m x k). What C holds before does not matter.
void matmul(const float* A, const float* B, float* C, size_t m, size_t n, size_t k) {
  std::fill(C, C + m * k, 0.0f);
  for (size_t i = 0; i < m; i++) {
    for (size_t p = 0; p < n; p++) {
      for (size_t j = 0; j < k; j++) {
        C[i * k + j] += A[i * n + p] * B[p * k + j];
      }
    }
  }
}

// C = A^T B, for A (m x n), B (m x k), C (n x k). What C holds before does not matter.
void matmul_transposed(const float* A, const float* B, float* C, size_t m, size_t n, size_t k) {
  std::fill(C, C + n * k, 0.0f);
  for (size_t i = 0; i < m; i++) {
    for (size_t p = 0; p < n; p++) {
      for (size_t j = 0; j < k; j++) {
        C[p * k + j] += A[i * n + p] * B[i * k + j];
      }
    }
  }
}

// Replace each row of Z (m x k) by its softmax, exp(Z_ij) / sum_l exp(Z_il), without overflow.
void softmax_rows(float* Z, size_t m, size_t k) {
  for (size_t i = 0; i < m; i++) {
    float* row = Z + i * k;
    const float largest = *std::max_element(row, row + k);
    float sum = 0;
    for (size_t j = 0; j < k; j++) {
      row[j] = std::exp(row[j] - largest);
      sum += row[j];
    }
    for (size_t j = 0; j < k; j++) {
      row[j] /= sum;
    }
  }
}

// One epoch of softmax regression: gradient descent on X (m x n), y (m), by which theta (n x k)
// is changed in place. Batches are taken in order; the last one may be short.
void softmax_regression_epoch_cpp(const float* X, const unsigned char* y, float* theta, size_t m,
                                  size_t n, size_t k, float lr, size_t batch) {
  std::vector<float> G(std::min(batch, m) * k), gradient(n * k);
  for (size_t start = 0; start < m; start += batch) {
    const size_t rows = std::min(batch, m - start);
    const float* x = X + start * n;
    const float step = lr / static_cast<float>(rows);
    matmul(x, theta, G.data(), rows, n, k);
    softmax_rows(G.data(), rows, k);
    for (size_t i = 0; i < rows; i++) {
      G[i * k + y[start + i]] -= 1;
    }
    matmul_transposed(x, G.data(), gradient.data(), rows, n, k);
    for (size_t i = 0; i < n * k; i++) {
      theta[i] -= step * gradient[i];
    }
  }
}

}  // namespace hw0
