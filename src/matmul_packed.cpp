// The fourth rung: blocks sized for the caches, packed into the order in which they are read.
//
// Loops around the microkernel after Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008). A block of B is packed once and stays in the second- or third-level cache
// while blocks of A pass by; a block of A stays in the second level, and each strip of it, as high
// as a tile, in the first while it meets all strips of B. Everything is then read in sequence,
// which prefetching likes, and no two lines fight for one place in a cache.
//
// Cost: beside the multiply-adds, about half a cycle for each element packed: k n elements of B
// once, and m k of A once for every kBlockCols columns of C, but for a narrow C. C itself is loaded
// and stored once for every kDepth steps of k.
#include <memory>
#include <new>

#include "matmul_kernel.h"

namespace needle::NEEDLE_ISA {
namespace {

// Columns of a strip of B: as wide as a tile.
template <typename T>
constexpr int64_t kStrip = kTileVectors * kLanes<T>;

// Steps of k, rows of A and columns of B in a block, at most. A strip of 6 rows of A is 12 KiB of
// float then, one of 12 rows 18 KiB, half a first-level cache; a block of A 96 or 144 KiB; a block
// of B 2 or 1.5 MiB.
constexpr int64_t kDepth = kTileRows < 12 ? 512 : 384;
constexpr int64_t kBlockRows = 8 * kTileRows;
constexpr int64_t kBlockCols = 1024;

// Up to so many strips of B, A is read in place where its rows allow it: to pack it would take
// about as long as one strip does. Measured with low tiles only.
constexpr int64_t kFewStrips = kTileRows < 12 ? 8 : 0;

template <typename T>
struct Blocks {
  alignas(64) T a[kBlockRows * kDepth];
  alignas(64) T b[kDepth * kBlockCols];
};

// Where the calling thread packs: made when first needed, and kept as long as the thread. Null if
// there is no memory for it.
template <typename T>
Blocks<T>* blocks_of_this_thread() {
  static thread_local std::unique_ptr<Blocks<T>> blocks;
  if (!blocks) blocks.reset(new (std::nothrow) Blocks<T>);
  return blocks.get();
}

// Packs a piece as strips of `width` columns, one after the other. Rows of adjacent elements are
// read across all strips, a few rows at a time, so that whatever is fetched of a row is used before
// it is displaced.
template <typename T>
void pack_strips(const Matrix<const T>& piece, int64_t width, T* to) {
  const int64_t step = piece.col_stride == 1 ? 16 : std::max<int64_t>(piece.rows, 1);
  for (int64_t p = 0; p < piece.rows; p += step) {
    const int64_t rows = std::min(step, piece.rows - p);
    for (int64_t j = 0; j < piece.cols; j += width) {
      pack(piece.block(p, j, rows, std::min(width, piece.cols - j)),
           to + j * piece.rows + p * width, width);
    }
  }
}

// c <- a b, or c + a b, for a block of B that is packed in strips. A's tile for row i and those
// below begins at a + i * a_rows.
template <typename T, bool rows_adjacent>
void multiply_blocks(int64_t depth, const T* a, int64_t a_rows, int64_t a_stride, const T* b,
                     const Matrix<T>& c, bool carry) {
  Tile<T> tile{};
  tile.k = depth;
  tile.a_stride = a_stride;
  tile.b_stride = kStrip<T>;
  tile.carry = carry;
  for (int64_t i = 0; i < c.rows; i += kTileRows) {
    const int64_t rows = std::min<int64_t>(kTileRows, c.rows - i);
    tile.a = a + i * a_rows;
    for (int64_t j = 0; j < c.cols; j += kStrip<T>) {
      const int64_t cols = std::min(kStrip<T>, c.cols - j);
      int64_t width = kStrip<T>;
      while (width > kFewLanes<T> && width / 2 >= cols) width /= 2;
      tile.b = b + j * depth;
      update_tile(micro_kernel_of<T, rows_adjacent>(rows, width), tile, c.block(i, j, rows, cols),
                  width);
    }
  }
}

}  // namespace

template <typename T>
void multiply_packed(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c) {
  // One strip of each is enough for a small C, or if there is no memory for more.
  alignas(64) T a_strip[kTileRows * kDepth], b_strip[kDepth * kStrip<T>];
  const bool is_small = c.rows <= kTileRows && c.cols <= kStrip<T>;
  Blocks<T>* const blocks = is_small ? nullptr : blocks_of_this_thread<T>();
  T* const a_packed = blocks ? blocks->a : a_strip;
  T* const b_packed = blocks ? blocks->b : b_strip;
  const int64_t block_rows = blocks ? kBlockRows : kTileRows;
  const int64_t block_cols = blocks ? kBlockCols : kStrip<T>;

  const bool a_in_place =
      a.col_stride == 1 && c.cols <= kFewStrips * kStrip<T> && !a.rows_collide();

  // k is cut evenly: a last block of a few steps would mostly load and store C.
  const int64_t cuts = std::max<int64_t>(1, (a.cols + kDepth - 1) / kDepth);

  for (int64_t j = 0; j < c.cols; j += block_cols) {
    const int64_t cols = std::min(block_cols, c.cols - j);
    for (int64_t cut = 0; cut < cuts; ++cut) {
      const int64_t p = a.cols * cut / cuts, depth = a.cols * (cut + 1) / cuts - p;
      pack_strips(b.block(p, j, depth, cols), kStrip<T>, b_packed);
      if (a_in_place) {
        multiply_blocks<T, false>(depth, a.at(0, p), a.row_stride, a.row_stride, b_packed,
                                  c.block(0, j, c.rows, cols), p > 0);
        continue;
      }
      for (int64_t i = 0; i < c.rows; i += block_rows) {
        const int64_t rows = std::min(block_rows, c.rows - i);
        pack_strips(a.block(i, p, rows, depth).transposed(), kTileRows, a_packed);
        multiply_blocks<T, true>(depth, a_packed, depth, kTileRows, b_packed,
                                 c.block(i, j, rows, cols), p > 0);
      }
    }
  }
}

template void multiply_packed(const Matrix<const float>&, const Matrix<const float>&,
                              const Matrix<float>&);
template void multiply_packed(const Matrix<const double>&, const Matrix<const double>&,
                              const Matrix<double>&);

}  // namespace needle::NEEDLE_ISA
