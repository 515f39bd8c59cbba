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
#include <type_traits>

#include "binary_ops.h"
#include "kernels.h"
#include "loops.h"
#include "reduce_run.h"

namespace needle::NEEDLE_ISA {

namespace {

constexpr int64_t kGrain = 65536;  // elements of a chunk or of a segment
constexpr int64_t kColumns = 512;  // accumulators that stay in the first level cache
constexpr int64_t kLeafRows = 64;  // rows of a leaf
constexpr int64_t kPiece = 8192;   // elements of a run in a leaf
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
    const int64_t stride = std::abs(reduced.axis[reduced.count - 1].strides[1]);
    return stride != 0 && stride < std::abs(kept.axis[kept.count - 1].strides[1]);
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

// Tiles of kept elements, a row of `columns` each.
template <int N>
TiledLoop<N> plan_kept(const Split<N>& axes, int64_t most_columns) {
  TiledLoop<N> loop;
  loop.grid = axes.kept;
  loop.row = loop.column = one_element<N>();
  if (loop.grid.count > 0) loop.column = loop.grid.pop(loop.grid.count - 1);
  const int64_t reduced = std::max<int64_t>(1, axes.reduced.size());
  loop.cut(1, std::clamp<int64_t>(loop.column.extent, 1, most_columns),
           std::max<int64_t>(1, kGrain / reduced));
  return loop;
}

// What a tile of kept elements is reduced from, in leaves.
template <typename A>
class Leaves {
 public:
  virtual ~Leaves() = default;
  virtual int64_t count() const = 0;
  virtual int64_t rows() const = 0;  // elements that a leaf adds to each accumulator
  // accumulators <- one leaf of `columns` kept elements, the first of which is at `offset`.
  virtual void reduce(int64_t leaf, int64_t offset, int64_t columns, A* accumulators) const = 0;
  // accumulators <- f(accumulators, more)
  virtual void join(int64_t columns, const A* more, A* accumulators) const = 0;
};

// Leaves of rows, whose columns are the kept elements. Columns that are not neighbours are staged.
template <typename T, typename A, typename F>
class RowLeaves : public Leaves<A> {
 public:
  RowLeaves(F f, const View& a, const Axes<2>& reduced, int64_t column_stride)
      : f_(f), data_(a.data<T>()), outer_(reduced), column_stride_(column_stride) {
    inner_ = outer_.count > 0 ? outer_.pop(outer_.count - 1) : one_element<2>();
    rows_ = outer_.size() * inner_.extent;
  }
  int64_t count() const override { return (rows_ + kLeafRows - 1) / kLeafRows; }
  int64_t rows() const override { return std::min(rows_, kLeafRows); }

  void reduce(int64_t leaf, int64_t offset, int64_t columns, A* accumulators) const override {
    std::fill_n(accumulators, columns, identity<A>(f_));
    int64_t row = leaf * kLeafRows;
    const int64_t last = std::min(rows_, row + kLeafRows);
    Odometer<2> outer(outer_, row / inner_.extent);
    for (; row < last; outer.advance()) {
      const int64_t inner = row % inner_.extent;
      const int64_t rows = std::min(last - row, inner_.extent - inner);
      const int64_t stride = inner_.strides[1];
      add(rows, data_ + offset + outer.offset()[1] + inner * stride, columns, accumulators);
      row += rows;
    }
  }
  void join(int64_t columns, const A* more, A* accumulators) const override {
    add_rows<1>(f_, more, 0, columns, accumulators);
  }

 private:
  void add(int64_t rows, const T* x, int64_t columns, A* accumulators) const {
    const int64_t stride = inner_.strides[1];
    if (column_stride_ == 1) return reduce_rows(f_, rows, x, stride, columns, accumulators);
    T stage[kStagedElements];
    const int64_t most = kStagedElements / columns;
    for (int64_t row = 0; row < rows; row += most) {
      const int64_t n = std::min(most, rows - row);
      copy_block<T>(n, columns, {x + row * stride, stride, column_stride_}, {stage, columns, 1});
      reduce_rows(f_, n, stage, columns, columns, accumulators);
    }
  }

  F f_;
  const T* data_;
  Axes<2> outer_;
  Axis<2> inner_;
  int64_t rows_;
  int64_t column_stride_;
};

// Leaves of runs, or of pieces of long runs, one for each kept element. Runs whose elements are not
// neighbours are staged.
template <typename T, typename A, typename F>
class RunLeaves : public Leaves<A> {
 public:
  RunLeaves(F f, const View& a, const Axes<2>& reduced, int64_t column_stride)
      : f_(f), data_(a.data<T>()), outer_(reduced), column_stride_(column_stride) {
    run_ = outer_.pop(outer_.count - 1);
    pieces_ = (run_.extent + kPiece - 1) / kPiece;
  }
  int64_t count() const override { return outer_.size() * pieces_; }
  int64_t rows() const override { return std::min(run_.extent, kPiece); }

  void reduce(int64_t leaf, int64_t offset, int64_t columns, A* accumulators) const override {
    const int64_t stride = run_.strides[1];
    const int64_t first = leaf % pieces_ * kPiece;
    const int64_t n = std::min(kPiece, run_.extent - first);
    const T* const x =
        data_ + offset + Odometer<2>(outer_, leaf / pieces_).offset()[1] + first * stride;
    if (stride == 1) {
      const auto run = [&](int64_t i) { return x + i * column_stride_; };
      return reduce_runs(f_, columns, n, run, accumulators);
    }
    T stage[kPiece];
    const auto staged = [&](int64_t i) {
      copy_block<T>(1, n, {x + i * column_stride_, 0, stride}, {stage, n, 1});
      return stage;
    };
    reduce_runs(f_, columns, n, staged, accumulators);
  }
  void join(int64_t columns, const A* more, A* accumulators) const override {
    add_rows<1>(f_, more, 0, columns, accumulators);
  }

 private:
  F f_;
  const T* data_;
  Axes<2> outer_;
  Axis<2> run_;
  int64_t pieces_;
  int64_t column_stride_;
};

// accumulators <- leaves first .. last - 1, combined in pairs; leaf(i, accumulators) gives one.
template <typename A, typename Leaf>
void combine(const Leaves<A>& leaves, int64_t first, int64_t last, int64_t columns, A* accumulators,
             const Leaf& leaf) {
  if (last - first == 1) return leaf(first, accumulators);
  const int64_t middle = first + (last - first + 1) / 2;
  A right[kColumns];
  combine(leaves, first, middle, columns, accumulators, leaf);
  combine(leaves, middle, last, columns, right, leaf);
  leaves.join(columns, right, accumulators);
}

// Reduces tiles of kept elements, or segments of their leaves, on the threads of the pool.
template <typename A>
class TileReduction {
 public:
  TileReduction(const TiledLoop<2>& kept, const Leaves<A>& leaves, const View& out)
      : kept_(kept), leaves_(leaves), out_(out.data<A>()) {}

  void run() const {
    const int64_t segment = std::max<int64_t>(1, kGrain / (leaves_.rows() * kept_.tile_columns));
    const int64_t segments = (leaves_.count() + segment - 1) / segment;
    if (segments == 1 || kept_.grid.size() >= kManyTiles) {
      share_tiles();
    } else {
      share_segments(segment, segments);
    }
  }

 private:
  void share_tiles() const {
    parallel_tiles(kept_, [&](const Tile<2>& tile) {
      A accumulators[kColumns];
      reduce(tile, 0, leaves_.count(), accumulators);
      store(tile, accumulators);
    });
  }

  void share_segments(int64_t segment, int64_t segments) const {
    const int64_t tiles = kept_.grid.size(), columns = kept_.tile_columns;
    const std::unique_ptr<A[]> partial(new A[tiles * segments * columns]);
    parallel_for(tiles * segments, [&](int64_t i) {
      const int64_t first = i % segments * segment;
      const int64_t last = std::min(leaves_.count(), first + segment);
      for_each_tile(kept_, i / segments, i / segments + 1,
                    [&](const Tile<2>& tile) { reduce(tile, first, last, &partial[i * columns]); });
    });
    const A* of_tile = partial.get();
    for_each_tile(kept_, 0, tiles, [&](const Tile<2>& tile) {
      A accumulators[kColumns];
      combine(leaves_, 0, segments, tile.columns, accumulators, [&](int64_t i, A* result) {
        std::copy_n(of_tile + i * columns, tile.columns, result);
      });
      store(tile, accumulators);
      of_tile += segments * columns;
    });
  }

  void reduce(const Tile<2>& tile, int64_t first, int64_t last, A* accumulators) const {
    combine(leaves_, first, last, tile.columns, accumulators,
            [&](int64_t i, A* result) { leaves_.reduce(i, tile.offset[1], tile.columns, result); });
  }
  void store(const Tile<2>& tile, const A* accumulators) const {
    A* const target = out_ + tile.offset[0];
    for (int64_t j = 0; j < tile.columns; ++j)
      target[j * kept_.column.strides[0]] = accumulators[j];
  }

  const TiledLoop<2>& kept_;
  const Leaves<A>& leaves_;
  A* out_;
};

template <typename T, typename A, typename F>
void reduce_with(F f, const View& a, const View& out) {
  Split<2> axes = split(out, a);
  simplify(axes.reduced, 1);  // the order of the elements does not matter
  axes.kept.start[1] += axes.reduced.start[1];
  axes.reduced.start[1] = 0;
  if (axes.along_runs()) {
    const int64_t length = axes.reduced.axis[axes.reduced.count - 1].extent;
    const TiledLoop<2> kept = plan_kept(axes, std::clamp<int64_t>(kGrain / length, 1, kColumns));
    const RunLeaves<T, A, F> leaves(f, a, axes.reduced, kept.column.strides[1]);
    TileReduction<A>(kept, leaves, out).run();
  } else {
    const TiledLoop<2> kept = plan_kept(axes, kColumns);
    const RowLeaves<T, A, F> leaves(f, a, axes.reduced, kept.column.strides[1]);
    TileReduction<A>(kept, leaves, out).run();
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

// Calls body(stride); with a constant where elements are neighbours, so that loops over them
// vectorise.
template <typename Body>
void with_stride(int64_t stride, Body&& body) {
  stride == 1 ? body(std::integral_constant<int64_t, 1>()) : body(stride);
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
      with_stride(stride, [&](auto step) {
        for (int64_t j = first; j < last; ++j) found |= is_best(x[j * step], best);
      });
      for (int64_t j = first; found != 0 && j < last; ++j) {
        if (is_best(x[j * stride], best)) return i * run.extent + j;
      }
    }
  }
  return 0;  // another thread wrote to `data`
}

// The same for `columns` neighbours, each with a maximum of its own.
template <typename T>
void find_in_rows(const Axes<3>& reduced, int64_t columns, const T* data, int64_t stride,
                  const T* best, int64_t* found) {
  const int64_t rows = reduced.size();
  Odometer<3> position(reduced, 0);
  std::fill_n(found, columns, rows);
  for (int64_t row = 0; row < rows; ++row, position.advance()) {
    const T* const x = data + position.offset()[1];
    with_stride(stride, [&](auto step) {
      NEEDLE_INDEPENDENT
      for (int64_t j = 0; j < columns; ++j) {
        const bool here = is_best(x[j * step], best[j]);
        found[j] = (here & (found[j] == rows)) ? row : found[j];
      }
    });
  }
}

// out <- the position of the first maximum: `best` holds the maxima.
template <typename T>
void find(const View& a, const View& best, const View& out) {
  Split<3> axes = split(out, a, best);
  merge(axes.reduced);
  const bool along_runs = axes.along_runs();
  const TiledLoop<3> kept = plan_kept(axes, along_runs ? 1 : kColumns);
  const auto [out_stride, a_stride, best_stride] = kept.column.strides;
  parallel_tiles(kept, [&, a_stride = a_stride, best_stride = best_stride,
                        out_stride = out_stride](const Tile<3>& tile) {
    int64_t found[kColumns];
    T maxima[kColumns];
    copy_block<T>(1, tile.columns, {best.data<T>() + tile.offset[2], 0, best_stride},
                  {maxima, 0, 1});
    const T* const data = a.data<T>() + tile.offset[1];
    if (along_runs) {
      found[0] = find_in_runs(axes.reduced, data, maxima[0]);
    } else {
      find_in_rows(axes.reduced, tile.columns, data, a_stride, maxima, found);
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
    using Element = decltype(element);  // a bool is a byte, 0 or 1: as a number it reduces alike
    using T = std::conditional_t<std::is_same_v<Element, bool>, uint8_t, Element>;
    using Sum = std::conditional_t<std::is_floating_point_v<T>, T, int64_t>;
    if constexpr (!kCompiledHere<T>) {
      return baseline::kernels().reduce(op, a, out);
    } else {
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
    }
  });
}

}  // namespace needle::NEEDLE_ISA
