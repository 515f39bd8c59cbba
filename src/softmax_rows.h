// The exponentials of a block of rows: what softmax, logsumexp and the softmax loss share.
//
// The largest element of each row is subtracted from it, so that no exponential overflows; then one
// loop runs over the exponentials of the whole block, however short its rows are; then each row is
// added up.
#pragma once

#include <algorithm>
#include <limits>

#include "rows.h"

namespace needle::NEEDLE_ISA {

// The largest of the n neighbours from each row(i) on, limited to finite numbers: an infinite one
// would give inf - inf.
template <typename T, typename Row>
void limited_maxima(int64_t rows, int64_t n, Row row, T* out) {
  constexpr T bound = std::numeric_limits<T>::max();
  reduce_runs(Maximum{}, rows, n, row, out);
  for (int64_t i = 0; i < rows; ++i) out[i] = Maximum{}(Minimum{}(out[i], bound), -bound);
}

template <typename T>
void subtract(int64_t n, const T* x, T number, T* out) {
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) out[j] = x[j] - number;
}

template <typename T>
void divide(int64_t n, T number, T* x) {
  for (int64_t j = 0; j < n; ++j) x[j] /= number;
}

template <typename T>
void exponentiate(int64_t n, T* x) {
  for (int64_t j = 0; j < n; ++j) x[j] = Exp{}(x[j]);
}

// out (rows, n) <- the softmax of each row.
template <typename T, typename Row>
void softmax_of_block(int64_t rows, int64_t n, Row row, T* out) {
  T largest[kMostRows];
  T total[kMostRows];
  limited_maxima(rows, n, row, largest);
  for (int64_t i = 0; i < rows; ++i) subtract(n, row(i), largest[i], out + i * n);
  exponentiate(rows * n, out);
  reduce_runs(Add{}, rows, n, [&](int64_t i) { return out + i * n; }, total);
  for (int64_t i = 0; i < rows; ++i) divide(n, total[i], out + i * n);
}

// out[i] <- log(sum exp) of row i.
template <typename T, typename Row>
void logsumexp_of_block(int64_t rows, int64_t n, Row row, T* out) {
  T largest[kMostRows];
  T total[kMostRows] = {};
  T sum[kMostRows];
  alignas(64) T block[kBlock];
  limited_maxima(rows, n, row, largest);
  // A long row is a block by itself, in pieces.
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t columns = std::min(kBlock, n - first);
    for (int64_t i = 0; i < rows; ++i) {
      subtract(columns, row(i) + first, largest[i], block + i * columns);
    }
    exponentiate(rows * columns, block);
    reduce_runs(Add{}, rows, columns, [&](int64_t i) { return block + i * columns; }, sum);
    for (int64_t i = 0; i < rows; ++i) total[i] += sum[i];
  }
  for (int64_t i = 0; i < rows; ++i) out[i] = Log{}(total[i]) + largest[i];
}

}  // namespace needle::NEEDLE_ISA
