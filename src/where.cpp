// out <- a where the condition holds, b elsewhere.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {

namespace {

// One loop for each pair of operands that may be scalars: `x` and `y` give element j of either.
template <typename T, typename X, typename Y>
void select(int64_t n, const bool* condition, X x, Y y, T* out) {
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) out[j] = condition[j] ? x(j) : y(j);
}

template <typename T>
void where_row(int64_t n, Row<bool> condition, Row<T> a, Row<T> b, T* out) {
  const auto neighbours = [](const T* data) { return [data](int64_t j) { return data[j]; }; };
  const auto scalar = [](T value) { return [value](int64_t) { return value; }; };
  if (condition.is_scalar) {
    const Row<T> chosen = *condition.data ? a : b;
    if (chosen.is_scalar) {
      std::fill_n(out, n, *chosen.data);
    } else {
      std::copy_n(chosen.data, n, out);
    }
  } else if (a.is_scalar && b.is_scalar) {
    select(n, condition.data, scalar(*a.data), scalar(*b.data), out);
  } else if (a.is_scalar) {
    select(n, condition.data, scalar(*a.data), neighbours(b.data), out);
  } else if (b.is_scalar) {
    select(n, condition.data, neighbours(a.data), scalar(*b.data), out);
  } else {
    select(n, condition.data, neighbours(a.data), neighbours(b.data), out);
  }
}

template <typename T>
void where_tiles(const View& condition, const View& a, const View& b, const View& out) {
  const TiledLoop<4> loop = plan(kCheapGrain, out, condition, a, b);
  parallel_tiles(loop, [&](const Tile<4>& tile) {
    const Reader<bool> c(loop, 1, tile, condition);
    const Reader<T> x(loop, 2, tile, a);
    const Reader<T> y(loop, 3, tile, b);
    Writer<T> target(loop, tile, out);
    for (int64_t i = 0; i < tile.rows; ++i) {
      where_row(tile.columns, c.row(i), x.row(i), y.row(i), target.row(i));
    }
  });
}

}  // namespace

void where(const View& condition, const View& a, const View& b, const View& out) {
  if (condition.dtype() != DType::kBool) {
    throw std::invalid_argument(std::string("where needs a condition of dtype bool, not ") +
                                dtype_name(condition.dtype()));
  }
  dispatch(out.dtype(), [&](auto element) {
    using T = decltype(element);
    if constexpr (kCompiledHere<T>) {
      where_tiles<T>(condition, a, b, out);
    } else {
      baseline::kernels().where(condition, a, b, out);
    }
  });
}

}  // namespace needle::NEEDLE_ISA
