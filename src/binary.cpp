// Elementwise kernels of two operands.
#include <string>

#include "binary_ops.h"
#include "elementwise_rows.h"
#include "kernels.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {

namespace {

// The result of an operator as an element of `out`. A truth becomes 1 or 0 by a choice, which
// vectorises; a conversion from bool does not.
template <typename Out, typename R>
Out as_element(R result) {
  if constexpr (std::is_same_v<R, bool> && !std::is_same_v<Out, bool>) {
    return result ? Out{1} : Out{0};
  } else {
    return static_cast<Out>(result);
  }
}

template <typename T, typename Out, typename F>
void apply_row(F f, int64_t n, Row<T> a, Row<T> b, Out* out) {
  const T* const x = a.data;
  const T* const y = b.data;
  if (a.is_scalar && b.is_scalar) {
    std::fill_n(out, n, as_element<Out>(f(*x, *y)));
  } else if (b.is_scalar) {
    const T scalar = *y;
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) out[j] = as_element<Out>(f(x[j], scalar));
  } else if (a.is_scalar) {
    const T scalar = *x;
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) out[j] = as_element<Out>(f(scalar, y[j]));
  } else {
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) out[j] = as_element<Out>(f(x[j], y[j]));
  }
}

template <typename T, typename Out, typename F>
void apply(F f, const View& a, const View& b, const View& out) {
  const TiledLoop<3> loop = plan(F::kGrain, out, a, b);
  parallel_tiles(loop, [&](const Tile<3>& tile) {
    const Reader<T> x(loop, 1, tile, a);
    const Reader<T> y(loop, 2, tile, b);
    Writer<Out> target(loop, tile, out);
    for (int64_t i = 0; i < tile.rows; ++i) {
      apply_row<T, Out>(f, tile.columns, x.row(i), y.row(i), target.row(i));
    }
  });
}

[[noreturn]] void reject(Binary op, DType dtype, const char* accepted) {
  constexpr const char* names[] = {"add", "sub", "mul", "div", "power", "maximum", "minimum",
                                   "eq",  "ne",  "ge",  "gt",  "le",    "lt"};
  throw std::invalid_argument(std::string(names[static_cast<int>(op)]) + " does not take dtype " +
                              dtype_name(dtype) + "; it takes " + accepted);
}

// Whether every element of a view is one and the same in memory.
bool is_scalar(const View& v) {
  for (int i = 0; i < v.ndim; ++i) {
    if (v.shape[i] == 0) return false;  // there is none
    if (v.shape[i] != 1 && v.strides[i] != 0) return false;
  }
  return true;
}

template <typename T>
void power(const View& a, const View& b, const View& out) {
  if (is_scalar(b)) {
    const T exponent = *b.data<T>();
    if (exponent == 1) return apply<T, T>(FirstPower{}, a, b, out);
    if (exponent == 2) return apply<T, T>(Square{}, a, b, out);
    if constexpr (std::is_floating_point_v<T>) {
      if (exponent == -1) return apply<T, T>(Reciprocal{}, a, b, out);
      if (exponent == T{0.5}) return apply<T, T>(PowerOneHalf{}, a, b, out);
    }
  }
  apply<T, T>(Power{}, a, b, out);
}

template <typename T>
void arithmetic(Binary op, const View& a, const View& b, const View& out) {
  constexpr bool is_bool = std::is_same_v<T, bool>;
  switch (op) {
    case Binary::kAdd:
      return apply<T, T>(Add{}, a, b, out);
    case Binary::kMul:
      return apply<T, T>(Mul{}, a, b, out);
    case Binary::kMaximum:
      return apply<T, T>(Maximum{}, a, b, out);
    case Binary::kMinimum:
      return apply<T, T>(Minimum{}, a, b, out);
    case Binary::kSub:
      if constexpr (!is_bool) return apply<T, T>(Sub{}, a, b, out);
      break;
    case Binary::kPower:
      if constexpr (!is_bool) return power<T>(a, b, out);
      break;
    case Binary::kDiv:
      if constexpr (std::is_floating_point_v<T>) return apply<T, T>(Div{}, a, b, out);
      reject(op, a.dtype(), "float32 and float64");
    default:
      throw std::invalid_argument("unknown binary operator");
  }
  reject(op, a.dtype(), "numbers");
}

template <typename T>
void comparison(Binary op, const View& a, const View& b, const View& out) {
  using Out = std::conditional_t<std::is_same_v<T, double>, double, float>;
  switch (op) {
    case Binary::kEq:
      return apply<T, Out>(Equal{}, a, b, out);
    case Binary::kNe:
      return apply<T, Out>(NotEqual{}, a, b, out);
    case Binary::kLt:
      return apply<T, Out>(Less{}, a, b, out);
    case Binary::kLe:
      return apply<T, Out>(LessEqual{}, a, b, out);
    case Binary::kGt:
      return apply<T, Out>(Less{}, b, a, out);
    default:
      return apply<T, Out>(LessEqual{}, b, a, out);
  }
}

template <typename T, typename F>
void row(int64_t n, Row<T> a, Row<T> b, T* out) {
  apply_row<T, T>(F{}, n, a, b, out);
}

template <typename T, typename F>
void exchanged_row(int64_t n, Row<T> a, Row<T> b, T* out) {
  apply_row<T, T>(F{}, n, b, a, out);
}

}  // namespace

template <typename T>
BinaryRow<T> binary_row(Binary op) {
  switch (op) {
    case Binary::kAdd:
      return {row<T, Add>, Add::kGrain};
    case Binary::kSub:
      return {row<T, Sub>, Sub::kGrain};
    case Binary::kMul:
      return {row<T, Mul>, Mul::kGrain};
    case Binary::kDiv:
      return {row<T, Div>, Div::kGrain};
    case Binary::kMaximum:
      return {row<T, Maximum>, Maximum::kGrain};
    case Binary::kMinimum:
      return {row<T, Minimum>, Minimum::kGrain};
    case Binary::kEq:
      return {row<T, Equal>, Equal::kGrain};
    case Binary::kNe:
      return {row<T, NotEqual>, NotEqual::kGrain};
    case Binary::kLt:
      return {row<T, Less>, Less::kGrain};
    case Binary::kLe:
      return {row<T, LessEqual>, LessEqual::kGrain};
    case Binary::kGt:
      return {exchanged_row<T, Less>, Less::kGrain};
    case Binary::kGe:
      return {exchanged_row<T, LessEqual>, LessEqual::kGrain};
    case Binary::kPower:
      break;  // its ways depend on the exponent
  }
  throw std::invalid_argument("there is no row function for this binary operator");
}

template BinaryRow<float> binary_row(Binary op);
template BinaryRow<double> binary_row(Binary op);

void binary(Binary op, const View& a, const View& b, const View& out) {
  dispatch(a.dtype(), [&](auto element) {
    using T = decltype(element);
    if constexpr (!kCompiledHere<T>) {
      baseline::kernels().binary(op, a, b, out);
    } else if (op >= Binary::kEq) {
      comparison<T>(op, a, b, out);
    } else {
      arithmetic<T>(op, a, b, out);
    }
  });
}

}  // namespace needle::NEEDLE_ISA
