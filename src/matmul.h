// What the files of the matrix product share: Matrix, one matrix of a View, and the rungs.
//
//   matmul_naive.cpp    the three loops of the textbook
//   matmul_tiled.cpp    the same on matrices cut into tiles that fit the first-level cache
//   matmul_simd.cpp     a tile of C in vector registers; operands read where they lie
//   matmul_packed.cpp   the same; operands first copied into the order they are read in
//   matmul_dot.cpp      dot products, for a C of few rows
//   matmul.cpp          the last three on all cores: what `@` calls
//
// Python can call each of them alone (matmul_rung.cpp does it for those in the middle).
//
// In the simd and the packed rung an element of C is one chain of multiply-adds in the order of k,
// begun at 0, however the work is cut. So the two agree bit for bit, and no cut into tiles, for
// caches or for threads, changes a result.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels.h"

namespace needle {

// The number of matrices that the first `leading` axes of a view enumerate, and where matrix
// number `matrix` of them (in row-major order) begins: an offset from view.data(), in elements.
std::int64_t matrix_count(const View& view, int leading);
std::int64_t matrix_offset(const View& view, int leading, std::int64_t matrix);

#ifdef NEEDLE_ISA
namespace NEEDLE_ISA {

// Element (i, j) is data[i * row_stride + j * col_stride].
template <typename T>
struct Matrix {
  T* data;
  std::int64_t rows, cols, row_stride, col_stride;

  T* at(std::int64_t i, std::int64_t j) const { return data + i * row_stride + j * col_stride; }
  Matrix block(std::int64_t i, std::int64_t j, std::int64_t height, std::int64_t width) const {
    return {at(i, j), height, width, row_stride, col_stride};
  }
  Matrix transposed() const { return {data, cols, rows, col_stride, row_stride}; }
  // Whether the rows are so far apart that they fall on one place of the first-level cache.
  bool rows_collide() const {
    return row_stride != 1 && row_stride * static_cast<std::int64_t>(sizeof(T)) % 4096 == 0;
  }
};

// Matrix number `i` of a view. The stride of an axis of extent 1 says nothing; 1 is the one that
// suits.
template <typename T>
Matrix<T> matrix_of(const View& view, std::int64_t i) {
  const int row = view.ndim - 2, col = view.ndim - 1;
  return {view.data<std::remove_const_t<T>>() + matrix_offset(view, row, i), view.shape[row],
          view.shape[col], view.shape[row] == 1 ? 1 : view.strides[row],
          view.shape[col] == 1 ? 1 : view.strides[col]};
}

// c <- a b for T = float and double, on the calling thread. Any strides.
template <typename T>
void multiply_simd(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c);
template <typename T>
void multiply_packed(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c);
template <typename T>
void multiply_dot(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c);

}  // namespace NEEDLE_ISA
#endif

}  // namespace needle
