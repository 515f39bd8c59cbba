// The second rung: matrices cut into tiles of 8 x 8, each tile in one piece of memory.
//
// Cost: still m n p multiply-adds, but three tiles (768 bytes) stay in the first-level cache for
// 512 of them, and the innermost loop runs over 8 adjacent elements of a row, independent of one
// another, which the compiler turns into two vectors. What is left is the traffic of the output
// tile, loaded and stored once for each tile of the inner axis. Cutting moves each element of the
// operands and of the product once more.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "matmul.h"

namespace needle {
namespace {

using std::int64_t;

constexpr int64_t kTileElements = kTileSize * kTileSize;

// out += a b, for one tile each.
template <typename T>
inline void multiply_add_tile(const T* __restrict a, const T* __restrict b, T* __restrict out) {
  for (int i = 0; i < kTileSize; ++i) {
    T sum[kTileSize];
    std::copy_n(out + i * kTileSize, kTileSize, sum);
#pragma GCC unroll 8
    for (int p = 0; p < kTileSize; ++p) {
#pragma GCC unroll 8
      for (int j = 0; j < kTileSize; ++j) sum[j] += a[i * kTileSize + p] * b[p * kTileSize + j];
    }
    std::copy_n(sum, kTileSize, out + i * kTileSize);
  }
}

// The product of matrices that are cut: out (m, p) <- a (m, n) b (n, p).
template <typename T>
void multiply_tiles(const T* a, const T* b, T* out, int64_t m, int64_t n, int64_t p) {
  const int64_t tiles_m = m / kTileSize, tiles_n = n / kTileSize, tiles_p = p / kTileSize;
  for (int64_t i = 0; i < tiles_m; ++i) {
    for (int64_t j = 0; j < tiles_p; ++j) {
      T* const tile = out + (i * tiles_p + j) * kTileElements;
      std::fill_n(tile, kTileElements, T{0});
      for (int64_t q = 0; q < tiles_n; ++q) {
        multiply_add_tile(a + (i * tiles_n + q) * kTileElements,
                          b + (q * tiles_p + j) * kTileElements, tile);
      }
    }
  }
}

int64_t in_whole_tiles(int64_t extent) { return (extent + kTileSize - 1) / kTileSize * kTileSize; }

// Calls body(i, j, place) for every element of a matrix, `place` being where its tile holds it.
template <typename Body>
void for_each_in_tiles(int64_t rows, int64_t cols, Body&& body) {
  const int64_t tiles_across = in_whole_tiles(cols) / kTileSize;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      const int64_t tile = i / kTileSize * tiles_across + j / kTileSize;
      body(i, j, tile * kTileElements + i % kTileSize * kTileSize + j % kTileSize);
    }
  }
}

// Matrix number `matrix` of a view, cut. Zeros fill up the last tiles: they add nothing to a sum.
template <typename T>
std::vector<T> cut(const View& view, int64_t matrix) {
  const int row = view.ndim - 2, col = view.ndim - 1;
  const int64_t rows = view.shape[row], cols = view.shape[col];
  const T* const first = view.data<T>() + matrix_offset(view, row, matrix);
  std::vector<T> tiles(in_whole_tiles(rows) * in_whole_tiles(cols));
  for_each_in_tiles(rows, cols, [&](int64_t i, int64_t j, int64_t place) {
    tiles[place] = first[i * view.strides[row] + j * view.strides[col]];
  });
  return tiles;
}

template <typename T>
void multiply(const View& a, const View& b, const View& out, int64_t matrix) {
  const int row = out.ndim - 2, col = out.ndim - 1;
  const int64_t m = in_whole_tiles(out.shape[row]), p = in_whole_tiles(out.shape[col]);
  std::vector<T> tiles(m * p);
  multiply_tiles(cut<T>(a, matrix).data(), cut<T>(b, matrix).data(), tiles.data(), m,
                 in_whole_tiles(a.shape[col]), p);
  T* const first = out.data<T>() + matrix_offset(out, row, matrix);
  for_each_in_tiles(out.shape[row], out.shape[col], [&](int64_t i, int64_t j, int64_t place) {
    first[i * out.strides[row] + j * out.strides[col]] = tiles[place];
  });
}

}  // namespace

void matmul_tiled(const float* a, const float* b, float* out, int64_t m, int64_t n, int64_t p) {
  multiply_tiles(a, b, out, m, n, p);
}

void matmul_tiled(const View& a, const View& b, const View& out) {
  const int64_t matrices = matrix_count(out, out.ndim - 2);
  for (int64_t matrix = 0; matrix < matrices; ++matrix) {
    out.dtype() == DType::kFloat64 ? multiply<double>(a, b, out, matrix)
                                   : multiply<float>(a, b, out, matrix);
  }
}

}  // namespace needle
