// The top rung, what `@` calls: the others on all cores, and the choice among them.
//
// C is cut into tiles, as few as keep all threads busy, and each is multiplied by the rung that
// suits it, for its own rows of A and columns of B and all of k. So no thread waits for another,
// none adds to what another computes, and k is never cut.
//
// Cost: two threads take half the time of one, plus about a microsecond to hand out the tiles; a
// product of less than kMinWork is not worth that.
#include "matmul.h"

#include <algorithm>
#include <limits>

#include "matmul_kernel.h"
#include "parallel.h"

namespace needle::NEEDLE_ISA {
namespace {

// Multiply-adds that one tile should have at least; and those from which on a thread gets two tiles
// instead of one, so that a core that is slow, or busy with something else, holds up the others
// less.
constexpr int64_t kMinWork = int64_t{1} << 17;
constexpr int64_t kLargeWork = int64_t{1} << 31;

// Bytes of A and B that one tile may read in place.
constexpr int64_t kInPlaceBytes = int64_t{1} << 20;

// Multiply-adds for each row of A and column of B from which on it pays to pack what could be read
// in place at some waste.
constexpr int64_t kWorkPerPacked = int64_t{1} << 12;

// The operands of one product and where it goes.
template <typename T>
struct Product {
  Matrix<const T> a, b;
  Matrix<T> c;

  Product transposed() const { return {b.transposed(), a.transposed(), c.transposed()}; }
  Product tile(int64_t i, int64_t j, int64_t rows, int64_t cols) const {
    return {a.block(i, 0, rows, a.cols), b.block(0, j, b.rows, cols), c.block(i, j, rows, cols)};
  }
};

// Dot products beat moving B's columns side by side when few rows of C would use them.
template <typename T>
bool suits_dot(const Product<T>& product) {
  return product.c.rows <= 8 && product.b.row_stride == 1 && product.b.col_stride != 1 &&
         product.a.cols >= 32 * product.c.rows;
}

// Whether reading the operands in place wastes so much that it is felt where tiles are low, so that
// what is fetched is used a few times only: of A^T, where a tile uses the smaller part of a cache
// line for each step of k, or of B, where its rows fall on two places of the first-level cache, or
// begin within lines, so that strips of it lie in one line more than they need.
template <typename T>
bool wastes_reads(const Product<T>& product) {
  constexpr int64_t bytes = sizeof(T), line = 64, way = 4096;
  if (2 * kTileRows * bytes > line) return false;
  const auto& [a, b, c] = product;
  const bool reads_parts = a.row_stride == 1 && a.col_stride != 1;
  const bool collides = b.col_stride == 1 && b.row_stride * bytes % (way / 2) == 0;
  const bool crosses = b.col_stride == 1 && b.row_stride * bytes % line != 0;
  return (reads_parts || collides || crosses) &&
         c.rows * c.cols * a.cols >= kWorkPerPacked * (c.rows + c.cols);
}

// Packing beats reading rows that are far apart, too many for the caches, or in parts; but not for
// one row of tiles, which reads everything once.
template <typename T>
bool suits_packed(const Product<T>& product) {
  const auto& [a, b, c] = product;
  const int64_t bytes = (c.rows + c.cols) * a.cols * static_cast<int64_t>(sizeof(T));
  return c.rows > kTileRows && (bytes > kInPlaceBytes || a.rows_collide() || wastes_reads(product));
}

// One tile. Whether by dot products is settled for the whole product, because it shows in the last
// bits; the other two rungs agree in them, so here each tile takes the one that suits it.
template <typename T>
void multiply(const Product<T>& tile, bool by_dot) {
  const auto& [a, b, c] = tile;
  if (by_dot) {
    multiply_dot(a, b, c);
  } else if (suits_packed(tile)) {
    multiply_packed(a, b, c);
  } else {
    multiply_simd(a, b, c);
  }
}

// Vector multiply-adds for each step of k.
template <typename T>
int64_t vectors_per_step(const Matrix<T>& c) {
  return c.rows * ((c.cols + kLanes<T> - 1) / kLanes<T>);
}

// The same product, or C^T = B^T A^T where that suits the rungs better. They write C row by row;
// and a C of ten columns, say, leaves lanes empty, which its transpose fills if A can be read so.
template <typename T>
Product<T> oriented(const Product<T>& product) {
  const Product<T> turned = product.transposed();
  if (product.c.col_stride != 1 && product.c.row_stride == 1) return turned;
  if (suits_dot(product)) return product;
  const bool fills_lanes = 10 * vectors_per_step(turned.c) < 9 * vectors_per_step(product.c);
  return suits_dot(turned) || (fills_lanes && turned.b.col_stride == 1) ? turned : product;
}

// How many tiles C is cut into, down and across.
struct Cut {
  int64_t down, across;
};

// What each step of k costs in a tile, counted in vector multiply-adds: these themselves, and one
// for each element of A and B that is packed, half of one for each that is read in place.
template <typename T>
double cost_of_step(const Product<T>& tile) {
  const bool all_packed = suits_packed(tile);
  const double row = all_packed ? 1.0 : 0.5;
  const double col = all_packed || tile.b.col_stride != 1 ? 1.0 : 0.5;
  return static_cast<double>(vectors_per_step(tile.c)) + row * static_cast<double>(tile.c.rows) +
         col * static_cast<double>(tile.c.cols);
}

// Columns that tiles are cut at.
template <typename T>
constexpr int64_t kStrip = kTileVectors * kLanes<T>;

// Of all ways to make so many tiles, the one whose largest tile costs least; of equal ones the
// flattest, whose tiles lie in one piece of memory.
template <typename T>
Cut cut(const Product<T>& product, int64_t tiles) {
  const Matrix<T>& c = product.c;
  const int64_t strips = (c.cols + kStrip<T> - 1) / kStrip<T>;
  Cut best{1, 1};
  double least = std::numeric_limits<double>::max();
  for (int64_t down = tiles; down > 0; --down) {
    if (tiles % down != 0) continue;
    const int64_t across = tiles / down, rows = (c.rows + down - 1) / down;
    const int64_t cols = std::min(c.cols, (strips + across - 1) / across * kStrip<T>);
    const double cost = cost_of_step(product.tile(0, 0, rows, cols));
    if (cost < least) {
      least = cost;
      best = {down, across};
    }
  }
  return best;
}

// Tile number `tile`, counted row by row. C is cut anywhere between rows, and between columns where
// the strips of the microkernel end.
template <typename T>
Product<T> tile_of(const Product<T>& product, const Cut& cut, int64_t tile) {
  const Matrix<T>& c = product.c;
  const int64_t strips = (c.cols + kStrip<T> - 1) / kStrip<T>;
  const int64_t down = tile / cut.across, across = tile % cut.across;
  const int64_t top = c.rows * down / cut.down, bottom = c.rows * (down + 1) / cut.down;
  const int64_t left = strips * across / cut.across * kStrip<T>;
  const int64_t right = std::min(c.cols, strips * (across + 1) / cut.across * kStrip<T>);
  return product.tile(top, left, bottom - top, right - left);
}

// The products that the leading axes of three views enumerate.
template <typename T>
class Batch {
 public:
  Batch(const View& a, const View& b, const View& out)
      : a_(a), b_(b), out_(out), leading_(out.ndim - 2), rows_(out.shape[leading_]) {
    a_row_stride_ = a.strides[leading_];
    out_row_stride_ = out.strides[leading_];
    while (leading_ > 0 && axis_is_more_rows(leading_ - 1)) {
      --leading_;
      if (rows_ == 1) {
        a_row_stride_ = a.strides[leading_];
        out_row_stride_ = out.strides[leading_];
      }
      rows_ *= out.shape[leading_];
    }
    size_ = matrix_count(out, leading_);
  }

  int64_t size() const { return size_; }
  Product<T> operator[](int64_t i) const {
    const int row = out_.ndim - 2;
    return oriented<T>({matrix<const T>(a_, i, rows_, a_row_stride_),
                        matrix<const T>(b_, i, b_.shape[row], b_.strides[row]),
                        matrix<T>(out_, i, rows_, out_row_stride_)});
  }

 private:
  // Where b repeats along a leading axis, as the weights of a layer do, the matrices of a and out
  // are one matrix of more rows, if their rows lie evenly.
  bool axis_is_more_rows(int axis) const {
    if (out_.shape[axis] == 1) return true;
    return b_.strides[axis] == 0 && (rows_ == 1 || (a_.strides[axis] == rows_ * a_row_stride_ &&
                                                    out_.strides[axis] == rows_ * out_row_stride_));
  }

  // The stride of an axis of extent 1 says nothing; 1 is the one that suits.
  template <typename U>
  Matrix<U> matrix(const View& view, int64_t i, int64_t rows, int64_t row_stride) const {
    const int64_t cols = view.shape[view.ndim - 1], col_stride = view.strides[view.ndim - 1];
    return {view.data<T>() + matrix_offset(view, leading_, i), rows, cols,
            rows == 1 ? 1 : row_stride, cols == 1 ? 1 : col_stride};
  }

  const View &a_, &b_, &out_;
  int leading_;
  int64_t rows_, a_row_stride_, out_row_stride_, size_;
};

template <typename T>
void multiply_all(const View& a, const View& b, const View& out) {
  const Batch<T> batch(a, b, out);
  if (out.size() == 0) return;
  const Product<T> first = batch[0];
  const int64_t m = first.c.rows, n = first.c.cols, work = m * n * first.a.cols;
  const bool by_dot = suits_dot(first);
  if (batch.size() == 1 && work < 2 * kMinWork) return multiply(first, by_dot);

  // As many tiles as keep all threads busy; one thread takes each product whole.
  const int64_t threads = num_threads(), rounds = work * batch.size() < kLargeWork ? 1 : 2;
  const int64_t wanted = threads == 1 ? 1 : (threads * rounds + batch.size() - 1) / batch.size();
  const Cut tiles = cut(first, std::min(work / kMinWork, wanted));
  const int64_t per_product = tiles.down * tiles.across, all = per_product * batch.size();
  // Small products share a chunk.
  const int64_t per_chunk = std::max<int64_t>(1, kMinWork / std::max<int64_t>(1, work));
  parallel_for((all + per_chunk - 1) / per_chunk, [&](int64_t chunk) {
    for (int64_t i = chunk * per_chunk; i < std::min(all, (chunk + 1) * per_chunk); ++i) {
      multiply(tile_of(batch[i / per_product], tiles, i % per_product), by_dot);
    }
  });
}

}  // namespace

void matmul(const View& a, const View& b, const View& out) {
  switch (out.dtype()) {
    case DType::kFloat32:
      return multiply_all<float>(a, b, out);
    case DType::kFloat64:
      return multiply_all<double>(a, b, out);
    default:
      return matmul_naive(a, b, out);
  }
}

}  // namespace needle::NEEDLE_ISA
