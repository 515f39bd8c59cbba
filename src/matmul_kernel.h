// The microkernel: a tile of C stays in vector registers while k passes by.
//
// For each p one vector of B's row p, and one element of A's column p broadcast to all lanes, make
// one multiply-add for every vector of the tile. With R rows and V vectors a row, that is R * V
// multiply-adds for R + V loads: the larger the tile, the less it matters where the operands lie.
// The tile is as large as the registers allow: 12 x 2 vectors of 32, or 6 x 2 of 16, which leaves
// room for the row of B and for the broadcast element.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "matmul_pack.h"

namespace needle::NEEDLE_ISA {

constexpr int kTileRows = kRegisters == 32 ? 12 : 6;
constexpr int kTileVectors = 2;

// One row of C alone needs more vectors than that: a multiply-add takes about four cycles to
// finish, while two can begin in each.
constexpr int kWideVectors = 8;

// Steps of k without a jump between them. Beside the 20 instructions of a step of a low tile, those
// for counters and addresses are felt, above all where something else uses the core, too.
constexpr int kSteps = kTileRows < 12 ? 4 : 1;

// What a microkernel is told: where A's element (r, p), B's row p and C's tile are.
template <typename T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_stride;
  const T* b;
  int64_t b_stride;
  T* c;
  int64_t c_stride;
  bool carry;  // go on from what C holds instead of from 0
};

// Element (r, p) of A is a[p * a_stride + r] where `rows_adjacent`, else a[r * a_stride + p].
template <typename T, int rows, int width, bool rows_adjacent>
void micro_kernel(const Tile<T>& tile) {
  constexpr int lanes = std::min(width, kLanes<T>), vectors = width / lanes;
  using V = Vector<T, lanes>;
  typename V::type sum[rows][vectors];
  const int64_t a_stride = tile.a_stride, b_stride = tile.b_stride, c_stride = tile.c_stride;
  T* const c = tile.c;
  const bool carry = tile.carry;
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) {
      sum[r][v] = carry ? V::load(c + r * c_stride + v * lanes) : typename V::type{};
    }
  }
  const T* a = tile.a;
  const T* b = tile.b;
#pragma GCC unroll kSteps
  for (int64_t p = 0; p < tile.k; ++p) {
    typename V::type row[vectors];
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) row[v] = V::load(b + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const T element = rows_adjacent ? a[r] : a[r * a_stride];
#pragma GCC unroll 16
      for (int v = 0; v < vectors; ++v) sum[r][v] += element * row[v];
    }
    a += rows_adjacent ? a_stride : 1;
    b += b_stride;
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) V::store(c + r * c_stride + v * lanes, sum[r][v]);
  }
}

template <typename T>
using MicroKernel = void (*)(const Tile<T>&);

// kernels[r - 1] is the microkernel for r rows.
template <typename T, int width, bool rows_adjacent, std::size_t... r>
MicroKernel<T> micro_kernel_of(int64_t rows, std::index_sequence<r...>) {
  static constexpr MicroKernel<T> kernels[] = {
      micro_kernel<T, static_cast<int>(r) + 1, width, rows_adjacent>...};
  return kernels[rows - 1];
}

// The microkernel for a tile: of 1 or 2 vectors, or few lanes, in each of up to kTileRows rows, or
// of 4 or 8 vectors in one.
template <typename T, bool rows_adjacent>
MicroKernel<T> micro_kernel_of(int64_t rows, int64_t width) {
  using Rows = std::make_index_sequence<kTileRows>;
  constexpr int lanes = kLanes<T>;
  if (width == 2 * lanes) return micro_kernel_of<T, 2 * lanes, rows_adjacent>(rows, Rows{});
  if (width == lanes) return micro_kernel_of<T, lanes, rows_adjacent>(rows, Rows{});
  if (width == kFewLanes<T>) return micro_kernel_of<T, kFewLanes<T>, rows_adjacent>(rows, Rows{});
  if (width == 4 * lanes) return micro_kernel<T, 1, 4 * lanes, rows_adjacent>;
  return micro_kernel<T, 1, kWideVectors * lanes, rows_adjacent>;
}

// C's rows are shared out evenly: a last tile of one or two rows would keep few adders busy.
struct RowTiles {
  int64_t rows, count;

  explicit RowTiles(int64_t rows) : rows(rows), count((rows + kTileRows - 1) / kTileRows) {}
  int64_t begin(int64_t tile) const { return rows * tile / count; }
};

// c <- the product of the tile's operands, or c + it where the tile carries on. `width` counts the
// columns of the kernel; a c that has fewer, or whose columns are not adjacent, is computed in a
// tile of its own and copied.
template <typename T>
void update_tile(MicroKernel<T> kernel, Tile<T> tile, const Matrix<T>& c, int64_t width) {
  if (c.cols == width && c.col_stride == 1) {
    tile.c = c.data;
    tile.c_stride = c.row_stride;
    kernel(tile);
    return;
  }
  alignas(kVectorBytes) T whole[kTileRows * kTileVectors * kLanes<T>];
  tile.c = whole;
  tile.c_stride = width;
  if (tile.carry) {
    pack(Matrix<const T>{c.data, c.rows, c.cols, c.row_stride, c.col_stride}, whole, width);
  }
  kernel(tile);
  const Matrix<const T> result{whole, c.rows, c.cols, width, 1};
  if (c.col_stride == 1) {
    for (int64_t i = 0; i < c.rows; ++i) copy_row(result.at(i, 0), c.cols, c.at(i, 0));
  } else if (c.row_stride == 1) {
    pack_columns(result.transposed(), c.data, c.col_stride);
  } else {
    for (int64_t i = 0; i < c.rows; ++i) {
      for (int64_t j = 0; j < c.cols; ++j) *c.at(i, j) = *result.at(i, j);
    }
  }
}

}  // namespace needle::NEEDLE_ISA
