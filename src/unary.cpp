// Elementwise kernels of one operand.
#include <string>

#include "elementwise_rows.h"
#include "kernels.h"
#include "loops.h"
#include "unary_ops.h"

namespace needle::NEEDLE_ISA {

namespace {

template <typename T, typename F>
void apply_row(F f, int64_t n, const T* x, T* out) {
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) out[j] = f(x[j]);
}

// Blocks without a large angle, which is nearly all of them, take the loop that vectorises. Each
// element has the same bits in either.
template <typename T, typename F>
void apply_row_of_angles(F f, int64_t n, const T* x, T* out) {
  constexpr int64_t kBlock = 256;
  const auto is_large = [](T angle) {
    return !(magnitude(angle) <= static_cast<T>(kLargestAngle));
  };
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t last = std::min(n, first + kBlock);
    int large = 0;
    for (int64_t j = first; j < last; ++j) large |= is_large(x[j]);
    if (large == 0) {
      apply_row(f, last - first, x + first, out + first);
    } else {
      for (int64_t j = first; j < last; ++j) out[j] = is_large(x[j]) ? f.beyond(x[j]) : f(x[j]);
    }
  }
}

// One row by operator F, which has a slower loop if it is one of angles.
template <typename T, typename F>
void row(int64_t n, const T* x, T* out) {
  if constexpr (std::is_same_v<F, Sin> || std::is_same_v<F, Cos>) {
    apply_row_of_angles(F{}, n, x, out);
  } else {
    apply_row(F{}, n, x, out);
  }
}

template <typename T, typename F>
void apply(F, const View& a, const View& out) {
  const TiledLoop<2> loop = plan(F::kGrain, out, a);
  parallel_tiles(loop, [&](const Tile<2>& tile) {
    const Reader<T> reader(loop, 1, tile, a);
    Writer<T> writer(loop, tile, out);
    for (int64_t i = 0; i < tile.rows; ++i) {
      // A scalar row stands for a broadcast operand, which nobody computes on purpose: fill and go
      // on.
      const Row<T> x = reader.row(i);
      T* const target = writer.row(i);
      if (x.is_scalar) std::fill_n(target, tile.columns, *x.data);
      row<T, F>(tile.columns, x.is_scalar ? target : x.data, target);
    }
  });
}

const char* name(Unary op) {
  constexpr const char* names[] = {"neg",  "abs",  "sign", "relu", "log",    "exp",
                                   "tanh", "sqrt", "sin",  "cos",  "sigmoid"};
  return names[static_cast<int>(op)];
}

[[noreturn]] void reject(Unary op, DType dtype, const char* accepted) {
  throw std::invalid_argument(std::string("ewise_") + name(op) + " does not take dtype " +
                              dtype_name(dtype) + "; it takes " + accepted);
}

template <typename T>
void of_floats(Unary op, const View& a, const View& out) {
  switch (op) {
    case Unary::kLog:
      return apply<T>(Log{}, a, out);
    case Unary::kExp:
      return apply<T>(Exp{}, a, out);
    case Unary::kTanh:
      return apply<T>(Tanh{}, a, out);
    case Unary::kSqrt:
      return apply<T>(Sqrt{}, a, out);
    case Unary::kSin:
      return apply<T>(Sin{}, a, out);
    case Unary::kCos:
      return apply<T>(Cos{}, a, out);
    case Unary::kSigmoid:
      return apply<T>(Sigmoid{}, a, out);
    default:
      throw std::invalid_argument("unknown unary operator");
  }
}

template <typename T>
void of_numbers(Unary op, const View& a, const View& out) {
  switch (op) {
    case Unary::kNeg:
      return apply<T>(Neg{}, a, out);
    case Unary::kAbs:
      return apply<T>(Abs{}, a, out);
    case Unary::kSign:
      return apply<T>(Sign{}, a, out);
    case Unary::kRelu:
      return apply<T>(Relu{}, a, out);
    default:
      if constexpr (std::is_floating_point_v<T>) {
        return of_floats<T>(op, a, out);
      } else {
        reject(op, a.dtype(), "float32 and float64");
      }
  }
}

}  // namespace

template <typename T>
UnaryRow<T> unary_row(Unary op) {
  switch (op) {
    case Unary::kNeg:
      return {row<T, Neg>, Neg::kGrain};
    case Unary::kAbs:
      return {row<T, Abs>, Abs::kGrain};
    case Unary::kSign:
      return {row<T, Sign>, Sign::kGrain};
    case Unary::kRelu:
      return {row<T, Relu>, Relu::kGrain};
    case Unary::kLog:
      return {row<T, Log>, Log::kGrain};
    case Unary::kExp:
      return {row<T, Exp>, Exp::kGrain};
    case Unary::kTanh:
      return {row<T, Tanh>, Tanh::kGrain};
    case Unary::kSqrt:
      return {row<T, Sqrt>, Sqrt::kGrain};
    case Unary::kSin:
      return {row<T, Sin>, Sin::kGrain};
    case Unary::kCos:
      return {row<T, Cos>, Cos::kGrain};
    case Unary::kSigmoid:
      return {row<T, Sigmoid>, Sigmoid::kGrain};
  }
  throw std::invalid_argument("unknown unary operator");
}

template UnaryRow<float> unary_row(Unary op);
template UnaryRow<double> unary_row(Unary op);

void unary(Unary op, const View& a, const View& out) {
  dispatch(a.dtype(), [&](auto element) {
    using T = decltype(element);
    if constexpr (std::is_same_v<T, bool>) {
      reject(op, a.dtype(), "numbers");
    } else if constexpr (!kCompiledHere<T>) {
      baseline::kernels().unary(op, a, out);
    } else {
      of_numbers<T>(op, a, out);
    }
  });
}

}  // namespace needle::NEEDLE_ISA
