// logsumexp over any axes, and softmax along the last: one pass over memory.
//
// Both take a block of rows at a time, as many as the first level cache holds: the largest element
// of each row is subtracted from it, so that no exponential overflows; then one loop runs over the
// exponentials of the whole block, however short its rows are; then each row is added up. Rows
// whose elements are not neighbours are copied together first.
//
// Blocks are cut by size alone, so results do not depend on the number of threads.
#include <algorithm>
#include <limits>

#include "binary_ops.h"
#include "kernels.h"
#include "loops.h"
#include "reduce_run.h"

namespace needle::NEEDLE_ISA {

namespace {

constexpr int64_t kBlock = kDearGrain;  // elements of a block
constexpr int64_t kMostRows = 256;      // of a block

// Calls body(first, rows) for blocks of the rows 0 .. rows - 1, on the threads of the pool.
template <typename Body>
void parallel_rows(int64_t rows, int64_t length, Body&& body) {
  const int64_t block = std::clamp<int64_t>(kBlock / std::max<int64_t>(1, length), 1, kMostRows);
  parallel_for((rows + block - 1) / block,
               [&](int64_t i) { body(i * block, std::min(block, rows - i * block)); });
}

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

template <typename T>
void softmax_of_rows(const View& a, const View& out) {
  const int last = a.ndim - 1;
  const int64_t n = a.shape[last];
  Axes<1> kept;
  for (int i = 0; i < last; ++i) kept.push({a.shape[i], {a.strides[i]}});
  merge(kept);
  parallel_rows(kept.size(), n, [&](int64_t first, int64_t rows) {
    const T* x[kMostRows];
    T largest[kMostRows];
    T total[kMostRows];
    T* const block = out.data<T>() + first * n;
    Odometer<1> position(kept, first);
    for (int64_t i = 0; i < rows; ++i, position.advance()) {
      x[i] = a.data<T>() + position.offset()[0];
    }
    limited_maxima(rows, n, [&](int64_t i) { return x[i]; }, largest);
    for (int64_t i = 0; i < rows; ++i) subtract(n, x[i], largest[i], block + i * n);
    exponentiate(rows * n, block);
    reduce_runs(Add{}, rows, n, [&](int64_t i) { return block + i * n; }, total);
    for (int64_t i = 0; i < rows; ++i) divide(n, total[i], block + i * n);
  });
}

// One block of logsumexp: out[i] <- log(sum exp) of the n neighbours at rows[i].
template <typename T>
void logsumexp_of_block(int64_t rows, int64_t n, const T* const* row, T* out) {
  T largest[kMostRows];
  T total[kMostRows];
  alignas(64) T block[kBlock];
  T sum[kMostRows];
  limited_maxima(rows, n, [&](int64_t i) { return row[i]; }, largest);
  std::fill_n(total, rows, T{0});
  // A long row is a block by itself, in pieces.
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t columns = std::min(kBlock, n - first);
    for (int64_t i = 0; i < rows; ++i) {
      subtract(columns, row[i] + first, largest[i], block + i * columns);
    }
    exponentiate(rows * columns, block);
    reduce_runs(Add{}, rows, columns, [&](int64_t i) { return block + i * columns; }, sum);
    for (int64_t i = 0; i < rows; ++i) total[i] += sum[i];
  }
  for (int64_t i = 0; i < rows; ++i) out[i] = Log{}(total[i]) + largest[i];
}

// The axes of `a` that `out` keeps, and one run of neighbours along those it does not.
struct Rows {
  Axes<2> kept;
  int64_t length;
  bool are_runs;  // whether there is such a run
};

Rows rows_of(const View& a, const View& out) {
  Axes<2> kept, reduced;
  for (int i = 0; i < a.ndim; ++i) {
    const Axis<2> axis{a.shape[i], {out.strides[i], a.strides[i]}};
    if (out.shape[i] != a.shape[i]) {
      reduced.push(axis);
    } else if (a.shape[i] != 1) {
      kept.push(axis);
    }
  }
  for (int i = 0; i < reduced.count; ++i) reduced.axis[i].strides[0] = 0;
  simplify(reduced, 1);  // the order of the elements does not matter
  merge(kept);
  kept.start[1] = reduced.start[1];
  const bool are_runs = reduced.count == 0 || reduced.size() == 0 ||
                        (reduced.count == 1 && reduced.axis[0].strides[1] == 1);
  return {kept, reduced.size(), are_runs};
}

template <typename T>
void logsumexp_of_rows(const Rows& all, const View& a, const View& out) {
  parallel_rows(all.kept.size(), all.length, [&](int64_t first, int64_t rows) {
    const T* row[kMostRows] = {};
    T* target[kMostRows];
    T result[kMostRows];
    Odometer<2> position(all.kept, first);
    for (int64_t i = 0; i < rows; ++i, position.advance()) {
      target[i] = out.data<T>() + position.offset()[0];
      row[i] = a.data<T>() + position.offset()[1];
    }
    logsumexp_of_block(rows, all.length, row, result);
    for (int64_t i = 0; i < rows; ++i) *target[i] = result[i];
  });
}

// `view` with its axes in the order in which the axes that `out` keeps come first.
View kept_first(const View& view, const View& a, const View& out) {
  View moved = view;
  int position = 0;
  for (const bool reduced : {false, true}) {
    for (int i = 0; i < a.ndim; ++i) {
      if ((out.shape[i] != a.shape[i]) != reduced) continue;
      moved.shape[position] = view.shape[i];
      moved.strides[position++] = view.strides[i];
    }
  }
  return moved;
}

bool is_compact(const View& view) {
  int64_t stride = 1;
  for (int i = view.ndim - 1; i >= 0; --i) {
    if (view.shape[i] != 1 && view.strides[i] != stride) return false;
    stride *= view.shape[i];
  }
  return true;
}

}  // namespace

void logsumexp(const View& a, const View& out) {
  const Rows rows = rows_of(a, out);
  if (!rows.are_runs) {
    const View moved = kept_first(a, a, out);
    const View compact = new_like(moved, a.dtype());
    copy(moved, compact);
    return logsumexp(compact, kept_first(out, a, out));
  }
  dispatch_float("logsumexp", a.dtype(),
                 [&](auto element) { logsumexp_of_rows<decltype(element)>(rows, a, out); });
}

void softmax(const View& a, const View& out) {
  if (out.size() == 0) return;
  if (!is_compact(out)) {
    const View compact = new_like(out, out.dtype());
    softmax(a, compact);
    return copy(compact, out);
  }
  const int last = a.ndim - 1;
  if (a.strides[last] != 1 && a.shape[last] != 1) {
    copy(a, out);
    return softmax(out, out);
  }
  dispatch_float("softmax", a.dtype(),
                 [&](auto element) { softmax_of_rows<decltype(element)>(a, out); });
}

}  // namespace needle::NEEDLE_ISA
