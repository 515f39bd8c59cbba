// Packing: a piece of an operand, copied into the order in which the microkernel reads it.
//
// A packed piece is row-major with a fixed width: element (p, j) goes to to[p * width + j]. Columns
// beyond the piece's own are filled with zeros, so that the microkernel always reads whole vectors.
// What lies row by row is moved by vectors, and what lies column by column is turned over in blocks
// of 16 x 16 bytes, in registers. Cost: a fraction of a cycle for each element, against one
// multiply-add for every row (or column) of the other operand.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "matmul.h"
#include "matmul_vector.h"

namespace needle::NEEDLE_ISA {

// Copies n <= 2 * piece elements as two pieces that may overlap: no loop, one branch for each size.
template <typename T, int piece>
inline void copy_pieces(const T* from, int64_t n, T* to) {
  if (n >= piece) {
    T last[piece];
    std::memcpy(last, from + n - piece, sizeof(last));
    std::memcpy(to, from, sizeof(last));
    std::memcpy(to + n - piece, last, sizeof(last));
  } else if constexpr (piece > 1) {
    copy_pieces<T, piece / 2>(from, n, to);
  }
}

// Copies n elements that lie next to each other.
template <typename T>
inline void copy_row(const T* from, int64_t n, T* to) {
  const int64_t whole = n / kLanes<T> * kLanes<T>;
  for (int64_t j = 0; j < whole; j += kLanes<T>) {
    Vector<T>::store(to + j, Vector<T>::load(from + j));
  }
  if (whole < n) copy_pieces<T, kLanes<T> / 2>(from + whole, n - whole, to + whole);
}

// A square of elements with rows of 16 bytes, the vector that every instruction set can shuffle.
template <typename T>
struct Square {
  static constexpr int kSide = 16 / sizeof(T);
  typedef T row __attribute__((vector_size(16)));

  row rows[kSide];

  void load(const T* from, int64_t stride) {
    for (int i = 0; i < kSide; ++i) std::memcpy(&rows[i], from + i * stride, 16);
  }
  void store(T* to, int64_t stride) const {
    for (int i = 0; i < kSide; ++i) std::memcpy(to + i * stride, &rows[i], 16);
  }
  Square transposed() const {
    const row* r = rows;
    if constexpr (kSide == 2) {
      return {{shuffle<0, 2>(r[0], r[1]), shuffle<1, 3>(r[0], r[1])}};
    } else {
      const row low01 = shuffle<0, 4, 1, 5>(r[0], r[1]), low23 = shuffle<0, 4, 1, 5>(r[2], r[3]);
      const row high01 = shuffle<2, 6, 3, 7>(r[0], r[1]), high23 = shuffle<2, 6, 3, 7>(r[2], r[3]);
      return {{shuffle<0, 1, 4, 5>(low01, low23), shuffle<2, 3, 6, 7>(low01, low23),
               shuffle<0, 1, 4, 5>(high01, high23), shuffle<2, 3, 6, 7>(high01, high23)}};
    }
  }

 private:
  // The chosen elements of a and b, which are counted through.
  template <int... chosen>
  static row shuffle(row a, row b) {
#if defined(__clang__)
    return __builtin_shufflevector(a, b, chosen...);
#else
    typedef std::conditional_t<kSide == 2, std::int64_t, std::int32_t> index
        __attribute__((vector_size(16)));
    return __builtin_shuffle(a, b, index{chosen...});
#endif
  }
};

// Packs a piece whose columns each lie next to each other in memory (row_stride 1).
template <typename T>
inline void pack_columns(const Matrix<const T>& piece, T* to, int64_t width) {
  constexpr int64_t side = Square<T>::kSide;
  const int64_t whole_rows = piece.cols < side ? 0 : piece.rows / side * side;
  for (int64_t j = 0; j < piece.cols; j += side) {
    // The last square reaches back over columns that are done rather than beyond the piece.
    const int64_t column = std::min(j, piece.cols - side);
    for (int64_t p = 0; p < whole_rows; p += side) {
      Square<T> square;
      square.load(piece.at(p, column), piece.col_stride);
      square.transposed().store(to + p * width + column, width);
    }
  }
  for (int64_t p = whole_rows; p < piece.rows; ++p) {
    for (int64_t j = 0; j < piece.cols; ++j) to[p * width + j] = *piece.at(p, j);
  }
}

// to[p * width + j] <- piece(p, j), or 0 where j is beyond the piece.
template <typename T>
void pack(const Matrix<const T>& piece, T* to, int64_t width) {
  if (piece.cols < width) std::fill_n(to, piece.rows * width, T{0});
  if (piece.col_stride == 1) {
    for (int64_t p = 0; p < piece.rows; ++p) copy_row(piece.at(p, 0), piece.cols, to + p * width);
  } else if (piece.row_stride == 1) {
    pack_columns(piece, to, width);
  } else {
    for (int64_t p = 0; p < piece.rows; ++p) {
      for (int64_t j = 0; j < piece.cols; ++j) to[p * width + j] = *piece.at(p, j);
    }
  }
}

}  // namespace needle::NEEDLE_ISA
