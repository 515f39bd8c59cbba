// The third rung: a tile of C in vector registers, the operands read where they lie.
//
// Cost: m n k / lanes vector multiply-adds, at one or two a cycle, which is the machine's peak; and
// no work beside them. It holds while what a tile reads, 12 rows of A and 2 vectors of each row of
// B, comes from the first two levels of cache: for the sizes of small networks. Beyond, rows far
// apart in memory miss in caches and address tables, and the next rung pays.
#include "matmul_kernel.h"

namespace needle::NEEDLE_ISA {
namespace {

// Steps of k for which a strip of B that cannot be read in place is copied at a time.
constexpr int64_t kDepth = 192;

// The width of a strip where `left` of so many columns are to be done: the widest that wastes less
// than the narrowest has, and lies within C unless it is one vector.
template <typename T>
int64_t width_of_strip(int64_t rows, int64_t left, int64_t cols) {
  constexpr int64_t lanes = kLanes<T>, least = kFewLanes<T>;
  int64_t width = (rows == 1 ? kWideVectors : kTileVectors) * lanes;
  while (width > least && (width - left >= least || width > std::max(cols, lanes))) width /= 2;
  return width;
}

// One strip of c, as wide as a tile: all tiles from top to bottom, for b's rows from p on.
template <typename T, bool rows_adjacent>
void multiply_strip(const Matrix<const T>& a, Tile<T> tile, const Matrix<T>& c, int64_t width) {
  const RowTiles tiles(c.rows);
  tile.a_stride = rows_adjacent ? a.col_stride : a.row_stride;
  for (int64_t t = 0; t < tiles.count; ++t) {
    const int64_t i = tiles.begin(t), rows = tiles.begin(t + 1) - i;
    tile.a = a.at(i, 0);
    update_tile(micro_kernel_of<T, rows_adjacent>(rows, width), tile, c.block(i, 0, rows, c.cols),
                width);
  }
}

}  // namespace

template <typename T>
void multiply_simd(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c) {
  if (a.row_stride != 1 && a.col_stride != 1) return multiply_packed(a, b, c);
  alignas(kVectorBytes) T copy[kDepth * kTileVectors * kLanes<T>];
  for (int64_t end = 0; end < c.cols;) {
    const int64_t rows = b.col_stride == 1 ? c.rows : 2;
    const int64_t width = width_of_strip<T>(rows, c.cols - end, c.cols);
    // A last strip that is wider than what is left begins in columns that are done, and computes
    // them again, to the same bits: so its vectors are read and written whole.
    const int64_t cols = std::min(width, c.cols), j = std::min(end, c.cols - cols);
    end = j + cols;
    const bool in_place = b.col_stride == 1 && cols == width;
    const int64_t depth = in_place ? std::max<int64_t>(a.cols, 1) : kDepth;
    for (int64_t p = 0; p == 0 || p < a.cols; p += depth) {
      Tile<T> tile{};
      tile.k = std::min(depth, a.cols - p);
      tile.carry = p > 0;
      tile.b = in_place ? b.at(p, j) : copy;
      tile.b_stride = in_place ? b.row_stride : width;
      if (!in_place) pack(b.block(p, j, tile.k, cols), copy, width);
      const Matrix<const T> a_part = a.block(0, p, c.rows, tile.k);
      const Matrix<T> c_part = c.block(0, j, c.rows, cols);
      if (a.row_stride == 1) {
        multiply_strip<T, true>(a_part, tile, c_part, width);
      } else {
        multiply_strip<T, false>(a_part, tile, c_part, width);
      }
    }
  }
}

template void multiply_simd(const Matrix<const float>&, const Matrix<const float>&,
                            const Matrix<float>&);
template void multiply_simd(const Matrix<const double>&, const Matrix<const double>&,
                            const Matrix<double>&);

}  // namespace needle::NEEDLE_ISA
