// Reductions over any axes: sum, max, min and argmax.
//
// Where the densest axis of the operand is kept, its elements are the columns of a row of
// accumulators, to which rows are added; where it is reduced itself, runs along it become one
// number each (reduce_run.h does both).
//
// Leaves of many rows are combined in pairs, pairs of pairs, and so on: the rounding error of a sum
// then grows with the logarithm of its length. Leaves, and the segments of leaves that threads work
// on, are cut by size alone: the result is the same bits for any number of threads.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "binary_ops.h"
#include "kernels.h"
#include "loops.h"
#include "reduce_run.h"

namespace needle::NEEDLE_ISA {

namespace {

constexpr int64_t kGrain = 65536;  // elements of a chunk or of a segment
constexpr int64_t kColumns = 512;  // accumulators that stay in the first level cache
constexpr int64_t kLeafRows = 64;  // rows that are added one after the other
constexpr int64_t kShortRun = 32;  // shorter runs are not worth their lanes
constexpr int64_t kManyTiles = 8;  // with as many, threads share tiles and not segments of one

// The axes of an operand (1 of N; 0 is `out`) that a reduction keeps, and those it reduces.
template <int N>
struct Split {
  Axes<N> kept;
  Axes<N> reduced;

  // Whether to reduce along runs: the densest axis is among the reduced ones.
  bool along_runs() const {
    if (reduced.count == 0) return false;
    if (kept.count == 0) return true;
    const Axis<N>& inner = reduced.axis[reduced.count - 1];
    return inner.extent >= kShortRun &&
           std::abs(inner.strides[1]) < std::abs(kept.axis[kept.count - 1].strides[1]);
  }
};

// The operands after `a` have the shape of `out`.
template <typename... Views>
Split<2 + sizeof...(Views)> split(const View& out, const View& a, const Views&... more) {
  Split<2 + sizeof...(Views)> axes;
  for (int i = 0; i < a.ndim; ++i) {
    if (out.shape[i] != a.shape[i]) {
      axes.reduced.push({a.shape[i], {0, a.strides[i], (void(more), 0)...}});
    } else if (a.shape[i] != 1) {
      axes.kept.push({a.shape[i], {out.strides[i], a.strides[i], more.strides[i]...}});
    }
  }
  simplify(axes.kept, 1);
  return axes;
}

// Tiles of kept elements, each `columns` long: one row of accumulators.
template <int N>
TiledLoop<N> plan_kept(const Split<N>& axes, bool along_runs) {
  TiledLoop<N> loop;
  loop.grid = axes.kept;
  loop.row = loop.column = one_element<N>();
  if (!along_runs && loop.grid.count > 0) loop.column = loop.grid.pop(loop.grid.count - 1);
  const int64_t reduced = std::max<int64_t>(1, axes.reduced.size());
  loop.cut(1, std::clamp<int64_t>(loop.column.extent, 1, kColumns),
           std::max<int64_t>(1, kGrain / reduced));
  return loop;
}

// The leaves of a reduction whose columns are kept elements.
template <typename T, typename F>
class RowLeaves {
 public:
  RowLeaves(F f, const Axes<2>& reduced, int64_t column_stride)
      : f_(f), reduced_(reduced), rows_(reduced.size()), stride_(column_stride) {}
  int64_t count() const { return (rows_ + kLeafRows - 1) / kLeafRows; }
  int64_t rows() const { return std::min(rows_, kLeafRows); }

  template <typename A>
  void operator()(int64_t leaf, const T* data, int64_t columns, A* accumulators) const {
    const int64_t first = leaf * kLeafRows;
    Odometer<2> row(reduced_, first);
    const auto next = [&] {
      const T* const x = data + row.offset()[1];
      row.advance();
      return x;
    };
    const int64_t n = std::min(kLeafRows, rows_ - first);
    if (stride_ == 1) {
      reduce_rows<T>(f_, n, next, kOne, columns, accumulators);
    } else {
      reduce_rows<T>(f_, n, next, stride_, columns, accumulators);
    }
  }

 private:
  F f_;
  Axes<2> reduced_;
  int64_t rows_;
  int64_t stride_;
};

// The leaves of a reduction along runs: pieces of a run, each reduced to one number.
template <typename T, typename F>
class RunLeaves {
 public:
  RunLeaves(F f, const Axes<2>& reduced) : f_(f), outer_(reduced) {
    const Axis<2> run = outer_.pop(outer_.count - 1);
    length_ = run.extent;
    stride_ = run.strides[1];
    pieces_ = (length_ + kPiece - 1) / kPiece;
  }
  int64_t count() const { return outer_.size() * pieces_; }
  int64_t rows() const { return std::min(length_, kPiece); }

  template <typename A>
  void operator()(int64_t leaf, const T* data, int64_t, A* accumulator) const {
    const T* x = data;
    if (outer_.count > 0) {
      x += Odometer<2>(outer_, leaf / pieces_).offset()[1];
      leaf %= pieces_;
    }
    const int64_t first = leaf * kPiece;
    const int64_t n = std::min(kPiece, length_ - first);
    x += first * stride_;
    *accumulator = stride_ == 1 ? reduce_run<A>(f_, n, x, kOne) : reduce_run<A>(f_, n, x, stride_);
  }

 private:
  static constexpr int64_t kPiece = 8 * kBlockRows * kLanes;
  F f_;
  Axes<2> outer_;
  int64_t length_;
  int64_t stride_;
  int64_t pieces_;
};

// accumulators <- leaves first .. last - 1, combined in pairs.
template <typename F, typename A, typename Leaf>
void combine(F f, int64_t first, int64_t last, int64_t columns, A* accumulators, const Leaf& leaf) {
  if (last - first == 1) return leaf(first, accumulators);
  const int64_t middle = first + (last - first + 1) / 2;
  A right[kColumns];
  combine(f, first, middle, columns, accumulators, leaf);
  combine(f, middle, last, columns, right, leaf);
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < columns; ++j) accumulators[j] = f(accumulators[j], right[j]);
}

// How one tile of kept elements is reduced, all of it or some of its leaves, and stored.
template <typename T, typename A, typename F, typename Leaves>
struct TileReduction {
  F f;
  const TiledLoop<2>& kept;
  const Leaves& leaves;
  const View& a;
  const View& out;

  void reduce(const Tile<2>& tile, int64_t first, int64_t last, A* accumulators) const {
    const T* const data = a.data<T>() + tile.offset[1];
    combine(f, first, last, tile.columns, accumulators,
            [&](int64_t i, A* result) { leaves(i, data, tile.columns, result); });
  }
  void store(const Tile<2>& tile, const A* accumulators) const {
    A* const target = out.data<A>() + tile.offset[0];
    for (int64_t j = 0; j < tile.columns; ++j) target[j * kept.column.strides[0]] = accumulators[j];
  }
};

// Threads share the tiles.
template <typename T, typename A, typename F, typename Leaves>
void reduce_tiles(const TileReduction<T, A, F, Leaves>& by) {
  parallel_tiles(by.kept, [&](const Tile<2>& tile) {
    A accumulators[kColumns];
    by.reduce(tile, 0, by.leaves.count(), accumulators);
    by.store(tile, accumulators);
  });
}

// Threads share the segments of few, long tiles.
template <typename T, typename A, typename F, typename Leaves>
void reduce_segments(const TileReduction<T, A, F, Leaves>& by, int64_t segment, int64_t segments) {
  const int64_t tiles = by.kept.grid.size();
  const std::unique_ptr<A[]> partial(new A[tiles * segments * kColumns]);
  parallel_for(tiles * segments, [&](int64_t i) {
    const int64_t first = i % segments * segment;
    const int64_t last = std::min(by.leaves.count(), first + segment);
    for_each_tile(by.kept, i / segments, i / segments + 1, [&](const Tile<2>& tile) {
      by.reduce(tile, first, last, &partial[i * kColumns]);
    });
  });
  const A* of_tile = partial.get();
  for_each_tile(by.kept, 0, tiles, [&](const Tile<2>& tile) {
    A accumulators[kColumns];
    combine(by.f, 0, segments, tile.columns, accumulators, [&](int64_t i, A* result) {
      std::copy_n(of_tile + i * kColumns, tile.columns, result);
    });
    by.store(tile, accumulators);
    of_tile += segments * kColumns;
  });
}

template <typename T, typename A, typename F, typename Leaves>
void reduce_leaves(F f, const TiledLoop<2>& kept, const Leaves& leaves, const View& a,
                   const View& out) {
  const TileReduction<T, A, F, Leaves> by{f, kept, leaves, a, out};
  const int64_t segment = std::max<int64_t>(1, kGrain / (leaves.rows() * kept.tile_columns));
  const int64_t segments = (leaves.count() + segment - 1) / segment;
  if (segments == 1 || kept.grid.size() >= kManyTiles) {
    reduce_tiles(by);
  } else {
    reduce_segments(by, segment, segments);
  }
}

template <typename T, typename A, typename F>
void reduce_with(F f, const View& a, const View& out) {
  Split<2> axes = split(out, a);
  simplify(axes.reduced, 1);  // the order of the elements does not matter
  axes.kept.start[1] += axes.reduced.start[1];
  axes.reduced.start[1] = 0;
  const bool along_runs = axes.along_runs();
  const TiledLoop<2> kept = plan_kept(axes, along_runs);
  if (along_runs) {
    reduce_leaves<T, A>(f, kept, RunLeaves<T, F>(f, axes.reduced), a, out);
  } else {
    reduce_leaves<T, A>(f, kept, RowLeaves<T, F>(f, axes.reduced, kept.column.strides[1]), a, out);
  }
}

template <typename A>
void clear(const View& out) {
  const TiledLoop<1> loop = plan(kCheapGrain, out);
  parallel_tiles(loop, [&](const Tile<1>& tile) {
    Writer<A> target(loop, tile, out);
    for (int64_t i = 0; i < tile.rows; ++i) std::fill_n(target.row(i), tile.columns, A{0});
  });
}

// Whether x is the maximum that was found; a NaN is larger than all numbers.
template <typename T>
bool is_best(T x, T best) {
  return (x == best) | ((x != x) & (best != best));
}

// The first position of a maximum in the row-major order of the reduced axes. The last axis is
// scanned in blocks, without a branch for each element.
template <typename T>
int64_t find_in_runs(Axes<3> outer, const T* data, T best) {
  constexpr int64_t kBlock = 256;
  const Axis<3> run = outer.pop(outer.count - 1);
  const int64_t stride = run.strides[1];
  const int64_t runs = outer.size();
  Odometer<3> position(outer, 0);
  for (int64_t i = 0; i < runs; ++i, position.advance()) {
    const T* const x = data + position.offset()[1];
    for (int64_t first = 0; first < run.extent; first += kBlock) {
      const int64_t last = std::min(run.extent, first + kBlock);
      int found = 0;
      for (int64_t j = first; j < last; ++j) found |= is_best(x[j * stride], best);
      for (int64_t j = first; found != 0 && j < last; ++j) {
        if (is_best(x[j * stride], best)) return i * run.extent + j;
      }
    }
  }
  return 0;  // another thread wrote to `data`
}

// The same for `columns` neighbours, each with a maximum of its own.
template <typename T>
void find_in_rows(const Axes<3>& reduced, int64_t columns, Block<const T> data, Block<const T> best,
                  int64_t* found) {
  const int64_t rows = reduced.size();
  Odometer<3> position(reduced, 0);
  std::fill_n(found, columns, rows);
  for (int64_t row = 0; row < rows; ++row, position.advance()) {
    const T* const x = data.data + position.offset()[1];
    for (int64_t j = 0; j < columns; ++j) {
      const bool here = is_best(x[j * data.column], best.data[j * best.column]);
      found[j] = here & (found[j] == rows) ? row : found[j];
    }
  }
}

// out <- the position of the first maximum: `best` holds the maxima.
template <typename T>
void find(const View& a, const View& best, const View& out) {
  Split<3> axes = split(out, a, best);
  merge(axes.reduced);
  const bool along_runs = axes.along_runs();
  const TiledLoop<3> kept = plan_kept(axes, along_runs);
  const auto [out_stride, a_stride, best_stride] = kept.column.strides;
  parallel_tiles(kept, [&, a_stride = a_stride, best_stride = best_stride,
                        out_stride = out_stride](const Tile<3>& tile) {
    int64_t found[kColumns];
    const T* const data = a.data<T>() + tile.offset[1];
    const T* const maxima = best.data<T>() + tile.offset[2];
    if (along_runs) {
      found[0] = find_in_runs(axes.reduced, data, *maxima);
    } else {
      find_in_rows<T>(axes.reduced, tile.columns, {data, 0, a_stride}, {maxima, 0, best_stride},
                      found);
    }
    int64_t* const target = out.data<int64_t>() + tile.offset[0];
    for (int64_t j = 0; j < tile.columns; ++j) target[j * out_stride] = found[j];
  });
}

template <typename T>
void argmax(const View& a, const View& out) {
  const View best = new_like(out, a.dtype());
  reduce_with<T, T>(Maximum{}, a, best);
  find<T>(a, best, out);
}

[[noreturn]] void reject(const char* op, const std::string& reason) {
  throw std::invalid_argument(std::string("reduce_") + op + " " + reason);
}

}  // namespace

void reduce(Reduction op, const View& a, const View& out) {
  constexpr const char* names[] = {"sum", "max", "min", "argmax"};
  const char* const name = names[static_cast<int>(op)];
  const bool is_float = a.dtype() == DType::kFloat32 || a.dtype() == DType::kFloat64;
  const DType expected =
      op == Reduction::kArgmax || (op == Reduction::kSum && !is_float) ? DType::kInt64 : a.dtype();
  if (out.dtype() != expected) {
    reject(name, std::string("of dtype ") + dtype_name(a.dtype()) + " writes dtype " +
                     dtype_name(expected) + ", not " + dtype_name(out.dtype()));
  }
  const bool empty = a.size() == 0;
  if (empty && out.size() == 0) return;
  if (empty && op != Reduction::kSum) reject(name, "needs at least one element to choose from");
  dispatch(a.dtype(), [&](auto element) {
    using T = decltype(element);
    using Sum = std::conditional_t<std::is_floating_point_v<T>, T, int64_t>;
    switch (op) {
      case Reduction::kSum:
        return empty ? clear<Sum>(out) : reduce_with<T, Sum>(Add{}, a, out);
      case Reduction::kMax:
        return reduce_with<T, T>(Maximum{}, a, out);
      case Reduction::kMin:
        return reduce_with<T, T>(Minimum{}, a, out);
      case Reduction::kArgmax:
        return argmax<T>(a, out);
    }
  });
}

}  // namespace needle::NEEDLE_ISA
