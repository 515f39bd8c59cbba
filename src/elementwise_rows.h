// The row functions of the elementwise kernels, for a kernel that does several of them in turn.
//
// They are the loops that `unary` and `binary` themselves run, so their results have the same bits.
#pragma once

#include "kernels.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {

// A loop over n elements, and how many of them make a chunk of work. `out` may be an operand.
template <typename T>
struct UnaryRow {
  void (*run)(int64_t n, const T* x, T* out);
  int64_t grain;
};

template <typename T>
struct BinaryRow {
  void (*run)(int64_t n, Row<T> a, Row<T> b, T* out);
  int64_t grain;
};

// For float and double; a comparison gives 1 or 0 of the same type. There is none for kPower.
template <typename T>
UnaryRow<T> unary_row(Unary op);
template <typename T>
BinaryRow<T> binary_row(Binary op);

}  // namespace needle::NEEDLE_ISA
