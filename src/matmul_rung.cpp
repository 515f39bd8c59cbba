// One of the rungs that `@` chooses from, alone and on the calling thread: to measure it, and to
// see what the choice is worth.
#include "matmul.h"

namespace needle::NEEDLE_ISA {
namespace {

template <typename T>
void multiply(Rung rung, const View& a, const View& b, const View& out) {
  const std::int64_t matrices = matrix_count(out, out.ndim - 2);
  for (std::int64_t i = 0; i < matrices; ++i) {
    const auto left = matrix_of<const T>(a, i), right = matrix_of<const T>(b, i);
    const auto product = matrix_of<T>(out, i);
    switch (rung) {
      case Rung::kSimd:
        multiply_simd(left, right, product);
        break;
      case Rung::kPacked:
        multiply_packed(left, right, product);
        break;
      case Rung::kDot:
        multiply_dot(left, right, product);
        break;
    }
  }
}

}  // namespace

void matmul_rung(Rung rung, const View& a, const View& b, const View& out) {
  out.dtype() == DType::kFloat64 ? multiply<double>(rung, a, b, out)
                                 : multiply<float>(rung, a, b, out);
}

}  // namespace needle::NEEDLE_ISA
