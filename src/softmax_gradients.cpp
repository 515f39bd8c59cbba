// The adjoints of softmax and log-softmax along the last axis; the softmax loss and its adjoint.
#include <memory>

#include "softmax_rows.h"

namespace needle::NEEDLE_ISA {

namespace {

// out <- row by row from the operands y and g: total[i] is the sum of term(y, g) over row i, and
// each element of `out` is result(y, g, total[i]).
template <typename T, typename Term, typename Result>
void of_rows_and_their_sums(const View& y, const View& g, const View& out, Term term,
                            Result result) {
  const int64_t n = y.shape[y.ndim - 1];
  const RowStarts<T> y_starts(y), g_starts(g);
  parallel_rows(y_starts.count(), n, [&](int64_t first, int64_t rows) {
    const BlockOfRows<T> y_rows(y_starts, first, rows), g_rows(g_starts, first, rows);
    T total[kMostRows];
    const auto fill = [&](int64_t i, int64_t column, int64_t columns, T* terms) {
      const T *const a = y_rows[i] + column, *const b = g_rows[i] + column;
      NEEDLE_INDEPENDENT
      for (int64_t j = 0; j < columns; ++j) terms[j] = term(a[j], b[j]);
    };
    sum_terms(rows, n, fill, total);
    for (int64_t i = 0; i < rows; ++i) {
      const T *const a = y_rows[i], *const b = g_rows[i];
      T* const target = out.data<T>() + (first + i) * n;
      const T sum = total[i];
      NEEDLE_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) target[j] = result(a[j], b[j], sum);
    }
  });
}

}  // namespace

void softmax_gradient(const View& s, const View& g, const View& out) {
  if (out.size() == 0) return;
  const CompactResult result(out);
  dispatch_float("softmax_gradient", s.dtype(), [&](auto element) {
    using T = decltype(element);
    of_rows_and_their_sums<T>(
        with_dense_rows(s), with_dense_rows(g), result.view(), [](T y, T h) { return y * h; },
        [](T y, T h, T total) { return y * (h - total); });
  });
  result.finish();
}

void logsoftmax_gradient(const View& y, const View& g, const View& out) {
  if (out.size() == 0) return;
  const CompactResult result(out);
  dispatch_float("logsoftmax_gradient", y.dtype(), [&](auto element) {
    using T = decltype(element);
    of_rows_and_their_sums<T>(
        with_dense_rows(y), with_dense_rows(g), result.view(), [](T, T h) { return h; },
        [](T log_s, T h, T total) { return h - Exp{}(log_s)*total; });
  });
  result.finish();
}

void softmax_loss(const View& z, const View& one_hot, const View& out) {
  const View logits = with_dense_rows(z), classes = with_dense_rows(one_hot);
  dispatch_float("softmax_loss", z.dtype(), [&](auto element) {
    using T = decltype(element);
    const int64_t count = z.shape[0], n = z.shape[1];
    const int64_t block = rows_of_block(n), blocks = (count + block - 1) / block;
    const RowStarts<T> z_starts(logits), y_starts(classes);
    const std::unique_ptr<T[]> of_block(new T[blocks + 1]);
    parallel_rows(count, n, [&](int64_t first, int64_t rows) {
      const BlockOfRows<T> z_rows(z_starts, first, rows), y_rows(y_starts, first, rows);
      T loss[kMostRows] = {}, of_true_class[kMostRows] = {};
      logsumexp_of_block(rows, n, [&](int64_t i) { return z_rows[i]; }, loss);
      const auto fill = [&](int64_t i, int64_t column, int64_t columns, T* terms) {
        const T *const a = z_rows[i] + column, *const b = y_rows[i] + column;
        NEEDLE_INDEPENDENT
        for (int64_t j = 0; j < columns; ++j) terms[j] = a[j] * b[j];
      };
      sum_terms(rows, n, fill, of_true_class);
      for (int64_t i = 0; i < rows; ++i) loss[i] -= of_true_class[i];
      reduce_runs(Add{}, 1, rows, [&](int64_t) { return loss; }, &of_block[first / block]);
    });
    T total;
    reduce_runs(Add{}, 1, blocks, [&](int64_t) { return of_block.get(); }, &total);
    *out.data<T>() = total / static_cast<T>(count);
  });
}

void softmax_loss_gradient(const View& z, const View& one_hot, const View& g, const View& out) {
  if (out.size() == 0) return;
  const View logits = with_dense_rows(z), classes = with_dense_rows(one_hot);
  const CompactResult result(out);
  dispatch_float("softmax_loss_gradient", z.dtype(), [&](auto element) {
    using T = decltype(element);
    const int64_t count = z.shape[0], n = z.shape[1];
    const T weight = *g.data<T>() / static_cast<T>(count);
    const RowStarts<T> z_starts(logits), y_starts(classes);
    parallel_rows(count, n, [&](int64_t first, int64_t rows) {
      const BlockOfRows<T> z_rows(z_starts, first, rows), y_rows(y_starts, first, rows);
      T* const target = result.data<T>() + first * n;
      softmax_of_block(rows, n, [&](int64_t i) { return z_rows[i]; }, target);
      for (int64_t i = 0; i < rows; ++i) {
        T* const x = target + i * n;
        const T* const y = y_rows[i];
        NEEDLE_INDEPENDENT
        for (int64_t j = 0; j < n; ++j) x[j] = (x[j] - y[j]) * weight;
      }
    });
  });
  result.finish();
}

}  // namespace needle::NEEDLE_ISA
