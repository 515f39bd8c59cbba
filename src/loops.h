// How shapes and strides become loops: the one place where it happens.
//
// Operands of one shape become a grid of 2-D tiles. First the axes are simplified: those of extent
// 1 are dropped, the others put into the best order for `out`, and neighbours that every operand
// walks through with one stride are merged, so that compact operands of any shape end as one long
// axis. The last axis then gives a tile its columns and another one its rows; kernels are loops
// over the rows and columns of one tile. Kernels want columns next to each other (or one element
// for all of them, stride 0); a tile whose columns lie otherwise is staged in a small buffer first,
// read along whichever of its two axes is the denser, so that a transposed operand costs each cache
// line one visit.
//
// Tiles and chunks are cut by size alone, so results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "parallel.h"
#include "transpose.h"
#include "view.h"

// Iterations of the next loop are independent, although `out` may be the very view of an operand.
#if defined(__clang__)
#define NEEDLE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define NEEDLE_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace needle::NEEDLE_ISA {

using std::int64_t;

// A staged tile is a square, so that a transposed operand is read and written in whole cache lines.
constexpr int64_t kStagedColumns = 64;
constexpr int64_t kStagedElements = 64 * kStagedColumns;

// Elements of a chunk of work: a second thread is worth waking for two of them.
constexpr int64_t kCheapGrain = 32768;  // add, copy, compare: bound by memory
constexpr int64_t kDearGrain = 4096;    // exp, tanh, power: bound by arithmetic

// One offset or stride for each operand, in elements; operand 0 is `out`.
template <int N>
using PerOperand = std::array<int64_t, N>;

template <int N>
struct Axis {
  int64_t extent;
  PerOperand<N> strides;
};

// An axis that is not there: what a scalar has for its columns.
template <int N>
Axis<N> one_element() {
  Axis<N> axis{1, {}};
  axis.strides.fill(1);
  return axis;
}

// The axes that N operands share, outermost first, and the element of each operand at which all
// indices are 0.
template <int N>
struct Axes {
  int count = 0;
  std::array<Axis<N>, kMaxAxes + 2> axis;  // only the first `count` are set: clearing costs time
  PerOperand<N> start{};

  void push(const Axis<N>& a) { axis[count++] = a; }
  Axis<N> pop(int i) {
    const Axis<N> a = axis[i];
    std::move(axis.begin() + i + 1, axis.begin() + count, axis.begin() + i);
    --count;
    return a;
  }
  int64_t size() const {
    int64_t n = 1;
    for (int i = 0; i < count; ++i) n *= axis[i].extent;
    return n;
  }
};

// The axes of extent other than 1 of views of one shape.
template <typename... Views>
Axes<1 + sizeof...(Views)> shared_axes(const View& out, const Views&... inputs) {
  Axes<1 + sizeof...(Views)> axes;
  for (int i = 0; i < out.ndim; ++i) {
    if (out.shape[i] != 1) axes.push({out.shape[i], {out.strides[i], inputs.strides[i]...}});
  }
  return axes;
}

// Makes one axis of each pair of neighbours (outer, inner) where a step of `outer` is
// `inner.extent` steps of `inner`.
template <int N>
NEEDLE_ONE_COPY void merge(Axes<N>& axes) {
  int kept = 0;
  for (int i = 1; i < axes.count; ++i) {
    Axis<N>& outer = axes.axis[kept];
    const Axis<N> inner = axes.axis[i];
    bool one = true;
    for (int k = 0; k < N; ++k) one &= outer.strides[k] == inner.strides[k] * inner.extent;
    if (one) {
      outer = {outer.extent * inner.extent, inner.strides};
    } else {
      axes.axis[++kept] = inner;
    }
  }
  axes.count = std::min(axes.count, kept + 1);
}

// Reorders axes so that operand `leader` is walked forwards and in the order of its memory
// (descending strides), then merges neighbours that are one axis for all operands. For axes whose
// order does not matter to the result.
template <int N>
NEEDLE_ONE_COPY void simplify(Axes<N>& axes, int leader = 0) {
  for (int i = 0; i < axes.count; ++i) {
    Axis<N> a = axes.axis[i];
    if (a.strides[leader] < 0) {
      for (int k = 0; k < N; ++k) {
        axes.start[k] += (a.extent - 1) * a.strides[k];
        a.strides[k] = -a.strides[k];
      }
    }
    int j = i;
    for (; j > 0 && axes.axis[j - 1].strides[leader] < a.strides[leader]; --j) {
      axes.axis[j] = axes.axis[j - 1];
    }
    axes.axis[j] = a;
  }
  merge(axes);
}

// A position in the row-major order of the axes, and the offsets of its elements.
template <int N>
class Odometer {
 public:
  Odometer(const Axes<N>& axes, int64_t position) : axes_(axes), offset_(axes.start) {
    for (int i = axes.count - 1; i >= 0; --i) {
      const Axis<N>& axis = axes.axis[i];
      index_[i] = position % axis.extent;
      position /= axis.extent;
      for (int k = 0; k < N; ++k) offset_[k] += index_[i] * axis.strides[k];
    }
  }
  bool at_end(int i) const { return index_[i] + 1 == axes_.axis[i].extent; }
  const PerOperand<N>& offset() const { return offset_; }

  void advance() {
    for (int i = axes_.count - 1; i >= 0; --i) {
      const Axis<N>& axis = axes_.axis[i];
      for (int k = 0; k < N; ++k) offset_[k] += axis.strides[k];
      if (++index_[i] < axis.extent) return;
      index_[i] = 0;
      for (int k = 0; k < N; ++k) offset_[k] -= axis.extent * axis.strides[k];
    }
  }

 private:
  const Axes<N>& axes_;
  PerOperand<N> offset_;
  std::array<int64_t, kMaxAxes + 2> index_;
};

// A tile: `rows` x `columns` elements; element (i, j) of operand k is at offset[k] + i * row[k] + j
// * column[k].
template <int N>
struct Tile {
  int64_t rows;
  int64_t columns;
  const PerOperand<N>& offset;  // a copy, right after it was written, would stall the processor
};

// The plan of a kernel. The two last axes of `grid` count the tiles along the row axis and along
// the column axis.
template <int N>
struct TiledLoop {
  Axes<N> grid;
  Axis<N> row;
  Axis<N> column;
  int64_t tile_rows;
  int64_t tile_columns;
  int64_t last_rows;  // what is left for the last tile along an axis
  int64_t last_columns;
  int64_t chunk_tiles;  // tiles that make a chunk of work

  // Whether operand k's columns are neither neighbours nor one and the same element.
  bool staged(int k) const { return column.strides[k] != 1 && (k == 0 || column.strides[k] != 0); }

  void cut(int64_t rows, int64_t columns, int64_t grain) {
    tile_rows = rows;
    tile_columns = columns;
    chunk_tiles = std::max<int64_t>(1, grain / (rows * columns));
    last_rows = push_tiles(row, rows);
    last_columns = push_tiles(column, columns);
  }

 private:
  int64_t push_tiles(const Axis<N>& axis, int64_t tile) {
    const int64_t count = (axis.extent + tile - 1) / tile;
    Axis<N> tiles{count, axis.strides};
    for (int64_t& stride : tiles.strides) stride *= tile;
    grid.push(tiles);
    return axis.extent - (count - 1) * tile;
  }
};

// The axis that gives tiles their rows: the densest one of the first operand which is not dense
// along the columns, so that staging reads whole cache lines; else the one next to the columns.
template <int N>
int row_axis(const Axes<N>& axes, const Axis<N>& column) {
  for (int k = 0; k < N; ++k) {
    int64_t densest = std::abs(column.strides[k]);
    if (densest <= 1) continue;
    int found = -1;
    for (int i = 0; i < axes.count; ++i) {
      const int64_t stride = std::abs(axes.axis[i].strides[k]);
      if (stride != 0 && stride < densest) {
        densest = stride;
        found = i;
      }
    }
    if (found >= 0) return found;
  }
  return axes.count - 1;
}

// Elements of a chunk, of which there are as many as keep `grain`, but an even number of like size:
// or one of two threads would have one of three chunks to do, and the other two.
inline int64_t fair_grain(int64_t elements, int64_t grain) {
  constexpr int64_t kLine = 64;  // elements: a cache line at least, which threads then do not share
  if (elements <= grain) return grain;
  const int64_t pairs = (elements + 2 * grain - 1) / (2 * grain);
  const int64_t share = (elements + 2 * pairs - 1) / (2 * pairs);
  return (share + kLine - 1) / kLine * kLine;
}

// The plan of an elementwise kernel over views of one shape; what has at most `grain` elements is
// one chunk of work.
template <typename... Views>
NEEDLE_ONE_COPY TiledLoop<1 + sizeof...(Views)> plan(int64_t grain, const View& out,
                                                     const Views&... inputs) {
  constexpr int N = 1 + sizeof...(Views);
  TiledLoop<N> loop;
  Axes<N>& axes = loop.grid;
  axes = shared_axes(out, inputs...);
  simplify(axes);
  grain = fair_grain(axes.size(), grain);

  loop.row = loop.column = one_element<N>();
  if (axes.count > 0) loop.column = axes.pop(axes.count - 1);
  if (axes.count > 0) loop.row = axes.pop(row_axis(axes, loop.column));

  bool staged = false;
  for (int k = 0; k < N; ++k) staged |= loop.staged(k);
  const int64_t elements = staged ? kStagedElements : grain;
  const int64_t columns =
      std::clamp<int64_t>(loop.column.extent, 1, staged ? kStagedColumns : grain);
  loop.cut(std::clamp<int64_t>(loop.row.extent, 1, elements / columns), columns, grain);
  return loop;
}

// Calls body(tile) for the tiles first .. last - 1 of the grid.
template <int N, typename Body>
void for_each_tile(const TiledLoop<N>& loop, int64_t first, int64_t last, Body&& body) {
  const int row = loop.grid.count - 2, column = loop.grid.count - 1;
  Odometer<N> tile(loop.grid, first);
  for (int64_t t = first; t < last; ++t, tile.advance()) {
    body(Tile<N>{tile.at_end(row) ? loop.last_rows : loop.tile_rows,
                 tile.at_end(column) ? loop.last_columns : loop.tile_columns, tile.offset()});
  }
}

// Calls body(tile) for every tile, on the threads of the pool.
template <int N, typename Body>
void parallel_tiles(const TiledLoop<N>& loop, Body&& body) {
  const int64_t tiles = loop.grid.size();
  const int64_t chunks = (tiles + loop.chunk_tiles - 1) / loop.chunk_tiles;
  parallel_for(chunks, [&](int64_t chunk) {
    const int64_t first = chunk * loop.chunk_tiles;
    for_each_tile(loop, first, std::min(tiles, first + loop.chunk_tiles), body);
  });
}

// Two-dimensional elements in memory: what a kernel over one tile reads and writes.
template <typename T>
struct Block {
  T* data;
  int64_t row;     // stride from row to row
  int64_t column;  // stride from column to column
};

// to[i, j] <- from[i, j], along the denser axis of `from`.
template <typename T>
void copy_block(int64_t rows, int64_t columns, Block<const T> from, Block<T> to) {
  const bool is_transposed = from.row == 1 && from.column != 1 && from.column != 0;
  if (is_transposed && to.column == 1) {
    return transpose_block(rows, columns, from.data, from.column, to.data, to.row);
  }
  for (int64_t i = 0; i < rows; ++i) {
    const T* const source = from.data + i * from.row;
    T* const target = to.data + i * to.row;
    if (from.column == 1 && to.column == 1) {
      std::copy_n(source, columns, target);
    } else {
      NEEDLE_INDEPENDENT
      for (int64_t j = 0; j < columns; ++j) target[j * to.column] = source[j * from.column];
    }
  }
}

// The columns of one row of an operand: neighbours, or one element for all of them.
template <typename T>
struct Row {
  const T* data;
  bool is_scalar;
};

// The rows of operand k in a tile, staged where they need to be.
template <typename T>
class Reader {
 public:
  template <int N>
  Reader(const TiledLoop<N>& loop, int k, const Tile<N>& tile, const View& view)
      : block_{view.data<T>() + tile.offset[k], loop.row.strides[k], loop.column.strides[k]} {
    if (!loop.staged(k)) return;
    const Block<T> stage{stage_, tile.columns, 1};
    copy_block<T>(tile.rows, tile.columns, block_, stage);
    block_ = {stage.data, stage.row, stage.column};
  }
  Row<T> row(int64_t i) const { return {block_.data + i * block_.row, block_.column == 0}; }

 private:
  Block<const T> block_;
  alignas(64) T stage_[kStagedElements];
};

// The rows of `out`, operand k, in a tile; staged ones reach `out` when the writer goes.
template <typename T>
class Writer {
 public:
  template <int N>
  Writer(const TiledLoop<N>& loop, const Tile<N>& tile, const View& out, int k = 0)
      : rows_(tile.rows),
        columns_(tile.columns),
        staged_(loop.staged(k)),
        block_{out.data<T>() + tile.offset[k], loop.row.strides[k], loop.column.strides[k]} {}
  ~Writer() {
    if (staged_) copy_block<T>(rows_, columns_, {stage_, columns_, 1}, block_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  T* row(int64_t i) { return staged_ ? stage_ + i * columns_ : block_.data + i * block_.row; }

 private:
  int64_t rows_;
  int64_t columns_;
  bool staged_;
  Block<T> block_;
  alignas(64) T stage_[kStagedElements];
};

}  // namespace needle::NEEDLE_ISA
