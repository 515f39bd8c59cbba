// Kernels over the rows of their operands: runs along the last axis, a block of rows at a time.
//
// A block holds as many rows as the first level cache does, so that a kernel may go over it several
// times. Blocks are cut by size alone, so results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels.h"
#include "loops.h"
#include "reduce_run.h"

namespace needle::NEEDLE_ISA {

constexpr int64_t kBlock = kDearGrain;  // elements of a block
constexpr int64_t kMostRows = 256;      // of a block

// How many rows of that length make a block: at least one, however long.
inline int64_t rows_of_block(int64_t length) {
  return std::clamp<int64_t>(kBlock / std::max<int64_t>(1, length), 1, kMostRows);
}

// Calls body(first, rows) for blocks of the rows 0 .. rows - 1, on the threads of the pool.
template <typename Body>
void parallel_rows(int64_t rows, int64_t length, Body&& body) {
  const int64_t block = rows_of_block(length);
  parallel_for((rows + block - 1) / block,
               [&](int64_t i) { body(i * block, std::min(block, rows - i * block)); });
}

// `view` itself if the elements of its rows are neighbours, else a compact copy.
NEEDLE_ONE_COPY inline View with_dense_rows(const View& view) {
  const int last = view.ndim - 1;
  if (view.strides[last] == 1 || view.shape[last] == 1) return view;
  const View compact = new_like(view, view.dtype());
  copy(view, compact);
  return compact;
}

// Memory for a result in compact form: that of `out` if it is compact, else new memory, which
// finish() copies to `out`.
class CompactResult {
 public:
  NEEDLE_ONE_COPY explicit CompactResult(const View& out)
      : out_(out), compact_(is_compact(out) ? out : new_like(out, out.dtype())) {}
  const View& view() const { return compact_; }
  template <typename T>
  T* data() const {
    return compact_.data<T>();
  }
  void finish() const {
    if (compact_.array != out_.array) copy(compact_, out_);
  }

 private:
  const View& out_;
  View compact_;
};

// Where the rows of a view with dense rows begin.
template <typename T>
class RowStarts {
 public:
  NEEDLE_ONE_COPY explicit RowStarts(const View& view) : data_(view.data<T>()) {
    for (int i = 0; i + 1 < view.ndim; ++i) axes_.push({view.shape[i], {view.strides[i]}});
    merge(axes_);
  }
  int64_t count() const { return axes_.size(); }

  // row[i] <- row first + i
  void locate(int64_t first, int64_t rows, const T** row) const {
    Odometer<1> position(axes_, first);
    for (int64_t i = 0; i < rows; ++i, position.advance()) row[i] = data_ + position.offset()[0];
  }

 private:
  Axes<1> axes_;
  const T* data_;
};

// The rows of a block of one operand.
template <typename T>
struct BlockOfRows {
  const T* row[kMostRows] = {};
  BlockOfRows(const RowStarts<T>& starts, int64_t first, int64_t rows) {
    starts.locate(first, rows, row);
  }
  const T* operator[](int64_t i) const { return row[i]; }
};

// total[i] <- the sum of n terms of each row; fill(i, first, columns, terms) computes those of row
// i from column `first` on.
template <typename T, typename Fill>
void sum_terms(int64_t rows, int64_t n, const Fill& fill, T* total) {
  alignas(64) T terms[kBlock];
  T sum[kMostRows];
  std::fill_n(total, rows, T{0});
  // A long row is a block by itself, in pieces.
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t columns = std::min(kBlock, n - first);
    for (int64_t i = 0; i < rows; ++i) fill(i, first, columns, terms + i * columns);
    reduce_runs(Add{}, rows, columns, [&](int64_t i) { return terms + i * columns; }, sum);
    for (int64_t i = 0; i < rows; ++i) total[i] += sum[i];
  }
}

}  // namespace needle::NEEDLE_ISA
