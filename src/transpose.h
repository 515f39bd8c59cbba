// Transposes blocks of memory in squares of 8 x 8 elements that fit the vector registers.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

// For what runs once a call or once a tile: with copies of it in every kernel the library would be
// much larger.
#define NEEDLE_ONE_COPY [[gnu::noinline]]

namespace needle::NEEDLE_ISA {

constexpr std::int64_t kSquare = 8;

// Eight elements of any type, moved as words of their size; the compiler chooses the instructions.
template <typename T>
struct EightOf {
  using Word = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
  static_assert(sizeof(T) == sizeof(Word));
  typedef Word type __attribute__((vector_size(kSquare * sizeof(Word))));
};

// The elements of a and b in turn: those of their first halves, and those of their second halves.
template <typename V>
void interleave(const V& a, const V& b, V& first, V& second) {
#if defined(__clang__) || __GNUC__ >= 12
  first = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  second = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  first = __builtin_shuffle(a, b, V{0, 8, 1, 9, 2, 10, 3, 11});
  second = __builtin_shuffle(a, b, V{4, 12, 5, 13, 6, 14, 7, 15});
#endif
}

// to[i * to_stride + j] <- from[j * from_stride + i] for i, j < 8. Interleaving rows 0 and 4, 1 and
// 5, ... three times moves the three bits of an element's row number to where those of its column
// number were.
template <typename T>
void transpose_square(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride) {
  typename EightOf<T>::type rows[kSquare];
  for (int i = 0; i < kSquare; ++i) std::memcpy(&rows[i], from + i * from_stride, sizeof rows[i]);
  for (int round = 0; round < 3; ++round) {
    typename EightOf<T>::type mixed[kSquare];
    for (int i = 0; i < kSquare / 2; ++i) {
      interleave(rows[i], rows[i + 4], mixed[2 * i], mixed[2 * i + 1]);
    }
    std::memcpy(rows, mixed, sizeof rows);
  }
  for (int i = 0; i < kSquare; ++i) std::memcpy(to + i * to_stride, &rows[i], sizeof rows[i]);
}

// to[i * to_stride + j] <- from[j * from_stride + i] for i < rows, j < columns.
template <typename T>
NEEDLE_ONE_COPY void transpose_block(std::int64_t rows, std::int64_t columns, const T* from,
                                     std::int64_t from_stride, T* to, std::int64_t to_stride) {
  const std::int64_t square_rows = rows / kSquare * kSquare;
  const std::int64_t square_columns = columns / kSquare * kSquare;
  for (std::int64_t j = 0; j < square_columns; j += kSquare) {
    for (std::int64_t i = 0; i < square_rows; i += kSquare) {
      transpose_square(from + j * from_stride + i, from_stride, to + i * to_stride + j, to_stride);
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {  // what the squares leave
    for (std::int64_t j = i < square_rows ? square_columns : 0; j < columns; ++j) {
      to[i * to_stride + j] = from[j * from_stride + i];
    }
  }
}

}  // namespace needle::NEEDLE_ISA
