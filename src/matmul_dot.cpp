// The product for a C of few rows and a B that lies column by column: dot products along k.
//
// Every element of B is used for as many multiply-adds as C has rows. When these are few (one, in a
// matrix-vector product), putting B's columns side by side for the other rungs would cost more than
// the product itself. Here the lanes of a vector run along k instead, as the elements lie in
// memory, and each sum is gathered from its lanes at the end.
//
// Cost: for one row, the time to read B once. The order of summation is its own (lane by lane,
// block by block of k), and depends on k alone.
#include <type_traits>

#include "matmul_kernel.h"

namespace needle::NEEDLE_ISA {
namespace {

// Rows and columns of C that are summed at the same time.
constexpr int kDotRows = 4;
constexpr int kDotCols = kRegisters == 32 ? 4 : 2;
// Steps of k for which rows of A are copied if their elements are not adjacent.
constexpr int64_t kDotDepth = 1024;

// The sums of the lanes of as many vectors as a Square has rows: each vector is folded to 16 bytes,
// and the square of these is turned over, so that its rows can be added.
template <typename T>
typename Square<T>::row sums_of_lanes(const typename Vector<T>::type* vectors) {
  constexpr int parts = kVectorBytes / 16;
  Square<T> folded;
  for (int i = 0; i < Square<T>::kSide; ++i) {
    typename Square<T>::row part[parts];
    std::memcpy(part, &vectors[i], kVectorBytes);
    for (int half = parts / 2; half > 0; half /= 2) {
      for (int q = 0; q < half; ++q) part[q] += part[q + half];
    }
    folded.rows[i] = part[0];
  }
  const Square<T> lanes = folded.transposed();
  typename Square<T>::row sums = lanes.rows[0];
  for (int i = 1; i < Square<T>::kSide; ++i) sums += lanes.rows[i];
  return sums;
}

// The vector of the last n elements before `end`, moved to its end, and zeros. There are at least
// as many elements as lanes.
template <typename T>
typename Vector<T>::type load_last(const T* end, int64_t n) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef Bits Mask __attribute__((vector_size(kVectorBytes)));
  Mask mask;
  for (int i = 0; i < kLanes<T>; ++i) mask[i] = i < kLanes<T> - n ? 0 : -1;
  const typename Vector<T>::type elements = Vector<T>::load(end - kLanes<T>);
  Mask bits;
  std::memcpy(&bits, &elements, sizeof(bits));
  bits &= mask;
  typename Vector<T>::type kept;
  std::memcpy(&kept, &bits, sizeof(kept));
  return kept;
}

// The only n elements, fewer than lanes, and zeros.
template <typename T>
typename Vector<T>::type load_only(const T* from, int64_t n) {
  T lanes[kLanes<T>] = {};
  copy_pieces<T, kLanes<T> / 2>(from, n, lanes);
  return Vector<T>::load(lanes);
}

// c (rows x cols) <- a b, or c + a b; rows of a and columns of b are adjacent elements.
template <typename T, int rows, int cols>
void dot_tile(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c, bool carry) {
  using V = Vector<T>;
  typename V::type sum[rows][std::max(cols, Square<T>::kSide)] = {};
  const auto add = [&](const auto& load) {
    typename V::type row[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) row[r] = load(a.data + r * a.row_stride);
#pragma GCC unroll 8
    for (int j = 0; j < cols; ++j) {
      const typename V::type col = load(b.data + j * b.col_stride);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) sum[r][j] += row[r] * col;
    }
  };
  const int64_t whole = a.cols / kLanes<T> * kLanes<T>;
  for (int64_t p = 0; p < whole; p += kLanes<T>) {
    add([p](const T* line) { return V::load(line + p); });
  }
  if (const int64_t rest = a.cols - whole; rest > 0 && whole > 0) {
    add([&](const T* line) { return load_last(line + a.cols, rest); });
  } else if (rest > 0) {
    add([&](const T* line) { return load_only(line, rest); });
  }
  constexpr int side = Square<T>::kSide;
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < cols; j += side) {
      T sums[side];
      const typename Square<T>::row row = sums_of_lanes<T>(&sum[r][j]);
      std::memcpy(sums, &row, sizeof(sums));
      for (int i = 0; i < std::min(side, cols); ++i) {
        T* const to = c.at(r, j + i);
        *to = carry ? *to + sums[i] : sums[i];
      }
    }
  }
}

// All columns of c, for `rows` rows of it.
template <typename T, int rows>
void dot_rows(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c, bool carry) {
  constexpr int cols = rows == 1 ? 2 * kDotCols : kDotCols;
  int64_t j = 0;
  for (; j + cols <= c.cols; j += cols) {
    dot_tile<T, rows, cols>(a, b.block(0, j, b.rows, cols), c.block(0, j, rows, cols), carry);
  }
  for (; j < c.cols; ++j) {
    dot_tile<T, rows, 1>(a, b.block(0, j, b.rows, 1), c.block(0, j, rows, 1), carry);
  }
}

}  // namespace

template <typename T>
void multiply_dot(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c) {
  if (b.row_stride != 1) return multiply_simd(a, b, c);
  alignas(kVectorBytes) T copy[kDotRows * kDotDepth];
  for (int64_t i = 0; i < c.rows; i += kDotRows) {
    const int64_t rows = std::min<int64_t>(kDotRows, c.rows - i);
    for (int64_t p = 0; p == 0 || p < a.cols; p += kDotDepth) {
      const int64_t depth = std::min(kDotDepth, a.cols - p);
      Matrix<const T> a_part = a.block(i, p, rows, depth);
      if (a.col_stride != 1) {
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t q = 0; q < depth; ++q) copy[r * kDotDepth + q] = *a_part.at(r, q);
        }
        a_part = {copy, rows, depth, kDotDepth, 1};
      }
      const Matrix<const T> b_part = b.block(p, 0, depth, b.cols);
      const Matrix<T> c_part = c.block(i, 0, rows, c.cols);
      constexpr void (*kernels[])(const Matrix<const T>&, const Matrix<const T>&, const Matrix<T>&,
                                  bool) = {dot_rows<T, 1>, dot_rows<T, 2>, dot_rows<T, 3>,
                                           dot_rows<T, 4>};
      kernels[rows - 1](a_part, b_part, c_part, p > 0);
    }
  }
}

template void multiply_dot(const Matrix<const float>&, const Matrix<const float>&,
                           const Matrix<float>&);
template void multiply_dot(const Matrix<const double>&, const Matrix<const double>&,
                           const Matrix<double>&);

}  // namespace needle::NEEDLE_ISA
