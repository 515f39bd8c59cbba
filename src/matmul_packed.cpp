// The fourth rung: blocks sized for the caches, packed into the order in which they are read.
//
// Three loops around the microkernel, after Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication" (2008). A block of B (kDepth x kBlockCols) is packed once and stays in the
// second- or third-level cache; the rows of A that one tile needs are packed in turn and stay in
// the first-level cache while they pass under the whole block. Everything is then read in
// sequence, which prefetching likes, and no two lines fight for one place in a cache.
//
// Cost: beside the multiply-adds, about half a cycle for each element packed: k n elements of B
// once, and m k of A once for every kBlockCols columns of C. A row of C is loaded and stored once
// for every kDepth steps of k.
#include <memory>
#include <new>

#include "matmul_kernel.h"

namespace needle::NEEDLE_ISA {
namespace {

// Steps of k and columns of C for which B is packed at a time: a strip of the rows of A for as many
// steps is 18 KiB of float, half the first-level cache, and the block of B 1.5 MiB.
constexpr int64_t kDepth = 384;
constexpr int64_t kBlockCols = 1024;

// Columns of a strip of B: as wide as a tile.
template <typename T>
constexpr int64_t kStrip = kTileVectors * kLanes<T>;

template <typename T>
struct Block {
  alignas(64) T elements[kDepth * kBlockCols];
};

// Where the calling thread packs B: made when first needed, and kept as long as the thread. Null if
// there is no memory for it.
template <typename T>
Block<T>* block_of_this_thread() {
  static thread_local std::unique_ptr<Block<T>> block;
  if (!block) block.reset(new (std::nothrow) Block<T>);
  return block.get();
}

// c <- a b, or c + a b, for a b that was packed strip by strip.
template <typename T>
void multiply_block(const Matrix<const T>& a, const T* packed, const Matrix<T>& c, bool carry) {
  alignas(64) T a_packed[kDepth * kTileRows];
  const RowTiles tiles(c.rows);
  Tile<T> tile{};
  tile.k = a.cols;
  tile.a = a_packed;
  tile.b_stride = kStrip<T>;
  tile.carry = carry;
  for (int64_t t = 0; t < tiles.count; ++t) {
    const int64_t i = tiles.begin(t), rows = tiles.begin(t + 1) - i;
    pack(a.block(i, 0, rows, a.cols).transposed(), a_packed, rows);
    tile.a_stride = rows;
    for (int64_t j = 0; j < c.cols; j += kStrip<T>) {
      const int64_t cols = std::min(kStrip<T>, c.cols - j);
      const int64_t vectors = (cols + kLanes<T> - 1) / kLanes<T>;
      tile.b = packed + j * a.cols;
      update_tile(micro_kernel_of<T, true>(rows, vectors), tile, c.block(i, j, rows, cols),
                  vectors * kLanes<T>);
    }
  }
}

}  // namespace

template <typename T>
void multiply_packed(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c) {
  alignas(64) T one_strip[kDepth * kStrip<T>];
  Block<T>* const block = c.cols > kStrip<T> ? block_of_this_thread<T>() : nullptr;
  T* const packed = block ? block->elements : one_strip;
  const int64_t block_cols = block ? kBlockCols : kStrip<T>;
  for (int64_t j = 0; j < c.cols; j += block_cols) {
    const int64_t cols = std::min(block_cols, c.cols - j);
    for (int64_t p = 0; p == 0 || p < a.cols; p += kDepth) {
      const int64_t depth = std::min(kDepth, a.cols - p);
      for (int64_t s = 0; s < cols; s += kStrip<T>) {
        const int64_t width = std::min(kStrip<T>, cols - s);
        pack(b.block(p, j + s, depth, width), packed + s * depth, kStrip<T>);
      }
      multiply_block(a.block(0, p, c.rows, depth), packed, c.block(0, j, c.rows, cols), p > 0);
    }
  }
}

template void multiply_packed(const Matrix<const float>&, const Matrix<const float>&,
                              const Matrix<float>&);
template void multiply_packed(const Matrix<const double>&, const Matrix<const double>&,
                              const Matrix<double>&);

}  // namespace needle::NEEDLE_ISA
