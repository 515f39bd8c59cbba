// Layer normalisation along the last axis, and its adjoint.
//
// A block of rows stays in the first level cache while its means, its variances and its result are
// computed. The adjoint computes mean and variance anew: that is cheaper than to keep them.
#include <cmath>
#include <memory>

#include "rows.h"

namespace needle::NEEDLE_ISA {

namespace {

// mean[i] and scale[i] = 1 / sqrt(var + eps) of each row.
template <typename T>
void statistics(const BlockOfRows<T>& x, int64_t rows, int64_t n, T eps, T* mean, T* scale) {
  const T count = static_cast<T>(n);
  reduce_runs(Add{}, rows, n, [&](int64_t i) { return x[i]; }, mean);
  for (int64_t i = 0; i < rows; ++i) mean[i] /= count;
  const auto squares = [&](int64_t i, int64_t first, int64_t columns, T* terms) {
    const T* const row = x[i] + first;
    const T m = mean[i];
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < columns; ++j) terms[j] = (row[j] - m) * (row[j] - m);
  };
  sum_terms(rows, n, squares, scale);
  for (int64_t i = 0; i < rows; ++i) scale[i] = 1 / std::sqrt(scale[i] / count + eps);
}

template <typename T>
void layer_norm_of(const View& x, const View& weight, const View& bias, T eps, T* out) {
  const int64_t n = x.shape[x.ndim - 1];
  const T *const w = weight.data<T>(), *const b = bias.data<T>();
  const RowStarts<T> starts(x);
  parallel_rows(starts.count(), n, [&](int64_t first, int64_t rows) {
    const BlockOfRows<T> block(starts, first, rows);
    T mean[kMostRows] = {}, scale[kMostRows] = {};
    statistics(block, rows, n, eps, mean, scale);
    for (int64_t i = 0; i < rows; ++i) {
      const T* const row = block[i];
      const T m = mean[i], r = scale[i];
      T* const y = out + (first + i) * n;
      NEEDLE_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) y[j] = w[j] * ((row[j] - m) * r) + b[j];
    }
  });
}

// dx of a block of rows; dweight and dbias grow by what the block adds.
template <typename T>
void gradient_of_block(const BlockOfRows<T>& x, const BlockOfRows<T>& g, int64_t rows, int64_t n,
                       const T* w, T eps, T* dx, T* dweight, T* dbias) {
  T mean[kMostRows] = {}, scale[kMostRows] = {}, sum[kMostRows] = {}, product[kMostRows] = {};
  statistics(x, rows, n, eps, mean, scale);
  const auto weighted = [&](int64_t i, int64_t first, int64_t columns, T* terms) {
    const T *const h = g[i] + first, *const v = w + first;
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < columns; ++j) terms[j] = h[j] * v[j];
  };
  const auto products = [&](int64_t i, int64_t first, int64_t columns, T* terms) {
    const T *const h = g[i] + first, *const v = w + first, *const row = x[i] + first;
    const T m = mean[i], r = scale[i];
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < columns; ++j) terms[j] = h[j] * v[j] * ((row[j] - m) * r);
  };
  sum_terms(rows, n, weighted, sum);
  sum_terms(rows, n, products, product);
  for (int64_t i = 0; i < rows; ++i) {
    const T *const h = g[i], *const row = x[i];
    const T m = mean[i], r = scale[i];
    const T s = sum[i] / static_cast<T>(n), p = product[i] / static_cast<T>(n);
    T* const d = dx + i * n;
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      const T normal = (row[j] - m) * r;
      d[j] = r * (h[j] * w[j] - s - normal * p);
      dweight[j] += h[j] * normal;
      dbias[j] += h[j];
    }
  }
}

template <typename T>
void layer_norm_gradient_of(const View& x, const View& weight, const View& g, T eps, T* dx,
                            const View& dweight, const View& dbias) {
  const int64_t n = x.shape[x.ndim - 1];
  const RowStarts<T> x_starts(x), g_starts(g);
  const int64_t count = x_starts.count(), block = rows_of_block(n);
  // Each chunk of rows has sums of its own for dweight and dbias.
  const int64_t chunk = std::clamp<int64_t>(kCheapGrain / std::max<int64_t>(1, n), 1, kMostRows);
  const int64_t chunks = (count + chunk - 1) / chunk;
  const std::unique_ptr<T[]> partial(new T[(chunks + 1) * 2 * n + 1]());
  parallel_for(chunks, [&](int64_t c) {
    T* const sums = &partial[c * 2 * n];
    const int64_t last = std::min(count, (c + 1) * chunk);
    for (int64_t first = c * chunk; first < last; first += block) {
      const int64_t rows = std::min(block, last - first);
      const BlockOfRows<T> x_rows(x_starts, first, rows), g_rows(g_starts, first, rows);
      gradient_of_block(x_rows, g_rows, rows, n, weight.data<T>(), eps, dx + first * n, sums,
                        sums + n);
    }
  });
  T* const total = &partial[chunks * 2 * n];
  reduce_rows(Add{}, chunks, partial.get(), 2 * n, 2 * n, total);
  for (int64_t j = 0; j < n; ++j) {
    dweight.data<T>()[j * dweight.strides[0]] = total[j];
    dbias.data<T>()[j * dbias.strides[0]] = total[n + j];
  }
}

}  // namespace

void layer_norm(const View& x, const View& weight, const View& bias, double eps, const View& out) {
  if (out.size() == 0) return;
  const CompactResult result(out);
  dispatch_float("layer_norm", x.dtype(), [&](auto element) {
    using T = decltype(element);
    layer_norm_of<T>(with_dense_rows(x), with_dense_rows(weight), with_dense_rows(bias),
                     static_cast<T>(eps), result.data<T>());
  });
  result.finish();
}

void layer_norm_gradient(const View& x, const View& weight, const View& g, double eps,
                         const View& dx, const View& dweight, const View& dbias) {
  const CompactResult result(dx);
  dispatch_float("layer_norm_gradient", x.dtype(), [&](auto element) {
    using T = decltype(element);
    layer_norm_gradient_of<T>(with_dense_rows(x), with_dense_rows(weight), with_dense_rows(g),
                              static_cast<T>(eps), result.data<T>(), dweight, dbias);
  });
  result.finish();
}

}  // namespace needle::NEEDLE_ISA
