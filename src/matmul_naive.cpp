// The first rung: the three loops of the textbook, for every dtype and any strides.
//
// Cost: m n k multiply-adds, one at a time, each waiting for the one before it; and column by
// column through b, a new cache line for each element. The compiler cannot do much: the order in
// which numbers are added is part of the result.
#include <cstdint>
#include <stdexcept>
#include <type_traits>

#include "matmul.h"

namespace needle {
namespace {

using std::int64_t;

// Integers wrap around, which C++ promises for unsigned ones only.
template <typename T>
using Sum = std::conditional_t<std::is_floating_point_v<T>, T, std::uint64_t>;

template <typename T>
void multiply(const View& a, const View& b, const View& out, int64_t matrix) {
  const int row = out.ndim - 2, col = out.ndim - 1;
  const T* const first_a = a.data<T>() + matrix_offset(a, row, matrix);
  const T* const first_b = b.data<T>() + matrix_offset(b, row, matrix);
  T* const first_out = out.data<T>() + matrix_offset(out, row, matrix);
  for (int64_t i = 0; i < out.shape[row]; ++i) {
    for (int64_t j = 0; j < out.shape[col]; ++j) {
      Sum<T> sum = 0;
      for (int64_t p = 0; p < a.shape[col]; ++p) {
        sum += static_cast<Sum<T>>(first_a[i * a.strides[row] + p * a.strides[col]]) *
               static_cast<Sum<T>>(first_b[p * b.strides[row] + j * b.strides[col]]);
      }
      first_out[i * out.strides[row] + j * out.strides[col]] = static_cast<T>(sum);
    }
  }
}

}  // namespace

int64_t matrix_count(const View& view, int leading) {
  int64_t count = 1;
  for (int axis = 0; axis < leading; ++axis) count *= view.shape[axis];
  return count;
}

int64_t matrix_offset(const View& view, int leading, int64_t matrix) {
  int64_t offset = 0;
  for (int axis = leading - 1; axis >= 0; --axis) {
    offset += matrix % view.shape[axis] * view.strides[axis];
    matrix /= view.shape[axis];
  }
  return offset;
}

void matmul_naive(const View& a, const View& b, const View& out) {
  const int64_t matrices = matrix_count(out, out.ndim - 2);
  dispatch(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>) {
      throw std::invalid_argument(
          "matmul: bool has no sum; convert the operands to a number dtype");
    } else {
      for (int64_t matrix = 0; matrix < matrices; ++matrix) multiply<T>(a, b, out, matrix);
    }
  });
}

}  // namespace needle
