// logsumexp over any axes, softmax and log-softmax along the last: one pass over memory.
#include "softmax_rows.h"

namespace needle::NEEDLE_ISA {

namespace {

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
    T* target[kMostRows] = {};
    T result[kMostRows];
    Odometer<2> position(all.kept, first);
    for (int64_t i = 0; i < rows; ++i, position.advance()) {
      target[i] = out.data<T>() + position.offset()[0];
      row[i] = a.data<T>() + position.offset()[1];
    }
    logsumexp_of_block(rows, all.length, [&](int64_t i) { return row[i]; }, result);
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

// Calls write(rows, their length, where they begin in `a`, the result of the first) for every block
// of rows along the last axis.
template <typename Write>
void for_blocks_of_rows(const char* name, const View& a, const View& out, Write write) {
  if (out.size() == 0) return;
  const View x = with_dense_rows(a);
  const CompactResult result(out);
  dispatch_float(name, a.dtype(), [&](auto element) {
    using T = decltype(element);
    const int64_t n = x.shape[x.ndim - 1];
    const RowStarts<T> starts(x);
    parallel_rows(starts.count(), n, [&](int64_t first, int64_t rows) {
      write(rows, n, BlockOfRows<T>(starts, first, rows), result.data<T>() + first * n);
    });
  });
  result.finish();
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
  for_blocks_of_rows("softmax", a, out, [](int64_t rows, int64_t n, const auto& block, auto* y) {
    softmax_of_block(rows, n, [&](int64_t i) { return block[i]; }, y);
  });
}

void logsoftmax(const View& a, const View& out) {
  for_blocks_of_rows("logsoftmax", a, out, [](int64_t rows, int64_t n, const auto& block, auto* y) {
    std::remove_pointer_t<decltype(y)> normalizer[kMostRows] = {};
    logsumexp_of_block(rows, n, [&](int64_t i) { return block[i]; }, normalizer);
    for (int64_t i = 0; i < rows; ++i) subtract(n, block[i], normalizer[i], y + i * n);
  });
}

}  // namespace needle::NEEDLE_ISA
