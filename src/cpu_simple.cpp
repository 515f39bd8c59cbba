// The kernels of cpu_simple(), in the order in which the course's third assignment asks for them.
//
// What each of them computes is said in cpu_simple.h. Loops are written to be read; but for the
// product of tiles, none of them tries to be fast.
#include "cpu_simple.h"

#include <algorithm>
#include <cmath>

namespace needle::simple {
namespace {

using std::int64_t;

// Calls body(place) for each element of a view, in row-major order, `place` being where it lies.
//
// It counts as an odometer does: the last index goes on by one; at the end of its axis it goes back
// to 0, and the index before it goes on.
template <typename Body>
void for_each_place(const Extents& shape, const Extents& strides, int64_t offset, Body&& body) {
  int64_t left = 1;
  for (const int64_t extent : shape) left *= extent;
  std::vector<int64_t> index(shape.size(), 0);
  int64_t place = offset;
  for (; left > 0; --left) {
    body(place);
    for (int64_t axis = static_cast<int64_t>(shape.size()) - 1; axis >= 0; --axis) {
      place += strides[axis];
      if (++index[axis] < shape[axis]) break;
      place -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}

// out[i] <- f(a[i]).
template <typename Function>
void map(const Array& a, Array& out, Function&& f) {
  for (int64_t i = 0; i < out.size; ++i) out[i] = f(a[i]);
}

// out[i] <- f(a[i], b[i]).
template <typename Function>
void map(const Array& a, const Array& b, Array& out, Function&& f) {
  for (int64_t i = 0; i < out.size; ++i) out[i] = f(a[i], b[i]);
}

// out[i] <- f(a[i], val).
template <typename Function>
void map(const Array& a, float val, Array& out, Function&& f) {
  for (int64_t i = 0; i < out.size; ++i) out[i] = f(a[i], val);
}

// The larger of two numbers; NaN, which no comparison holds for, if either of them is.
float larger(float x, float y) { return x > y || std::isnan(x) ? x : y; }

// out[i] <- the fold of elements i * reduce_size ... (i + 1) * reduce_size - 1 of a, by f.
template <typename Function>
void reduce(const Array& a, Array& out, int64_t reduce_size, Function&& f) {
  for (int64_t i = 0; i < out.size; ++i) {
    const float* const elements = a.data() + i * reduce_size;
    float result = elements[0];
    for (int64_t j = 1; j < reduce_size; ++j) result = f(result, elements[j]);
    out[i] = result;
  }
}

// out += a b, for a tile each, of kTile x kTile elements in row-major order.
//
// The innermost loop runs over neighbours in a row of b and in a row of sums, which do not depend
// on each other: a compiler does several at a time. `__restrict` promises that no tiles overlap.
void multiply_add_tile(const float* __restrict a, const float* __restrict b,
                       float* __restrict out) {
  for (int64_t i = 0; i < kTile; ++i) {
    float sums[kTile];
    std::copy_n(out + i * kTile, kTile, sums);
    for (int64_t k = 0; k < kTile; ++k) {
      for (int64_t j = 0; j < kTile; ++j) sums[j] += a[i * kTile + k] * b[k * kTile + j];
    }
    std::copy_n(sums, kTile, out + i * kTile);
  }
}

}  // namespace

void compact(const Array& a, Array& out, const Extents& shape, const Extents& strides,
             int64_t offset) {
  int64_t i = 0;
  for_each_place(shape, strides, offset, [&](int64_t place) { out[i++] = a[place]; });
}

void ewise_setitem(const Array& a, Array& out, const Extents& shape, const Extents& strides,
                   int64_t offset) {
  int64_t i = 0;
  for_each_place(shape, strides, offset, [&](int64_t place) { out[place] = a[i++]; });
}

void scalar_setitem(float val, Array& out, const Extents& shape, const Extents& strides,
                    int64_t offset) {
  for_each_place(shape, strides, offset, [&](int64_t place) { out[place] = val; });
}

void fill(Array& out, float val) { std::fill_n(out.data(), out.size, val); }

void ewise_add(const Array& a, const Array& b, Array& out) {
  map(a, b, out, [](float x, float y) { return x + y; });
}

void ewise_mul(const Array& a, const Array& b, Array& out) {
  map(a, b, out, [](float x, float y) { return x * y; });
}

void ewise_div(const Array& a, const Array& b, Array& out) {
  map(a, b, out, [](float x, float y) { return x / y; });
}

void ewise_maximum(const Array& a, const Array& b, Array& out) { map(a, b, out, larger); }

void ewise_eq(const Array& a, const Array& b, Array& out) {
  map(a, b, out, [](float x, float y) { return x == y; });
}

void ewise_ge(const Array& a, const Array& b, Array& out) {
  map(a, b, out, [](float x, float y) { return x >= y; });
}

void scalar_add(const Array& a, float val, Array& out) {
  map(a, val, out, [](float x, float y) { return x + y; });
}

void scalar_mul(const Array& a, float val, Array& out) {
  map(a, val, out, [](float x, float y) { return x * y; });
}

void scalar_div(const Array& a, float val, Array& out) {
  map(a, val, out, [](float x, float y) { return x / y; });
}

void scalar_maximum(const Array& a, float val, Array& out) { map(a, val, out, larger); }

void scalar_eq(const Array& a, float val, Array& out) {
  map(a, val, out, [](float x, float y) { return x == y; });
}

void scalar_ge(const Array& a, float val, Array& out) {
  map(a, val, out, [](float x, float y) { return x >= y; });
}

void scalar_power(const Array& a, float val, Array& out) {
  map(a, val, out, [](float x, float y) { return std::pow(x, y); });
}

void ewise_log(const Array& a, Array& out) {
  map(a, out, [](float x) { return std::log(x); });
}

void ewise_exp(const Array& a, Array& out) {
  map(a, out, [](float x) { return std::exp(x); });
}

void ewise_tanh(const Array& a, Array& out) {
  map(a, out, [](float x) { return std::tanh(x); });
}

void reduce_sum(const Array& a, Array& out, int64_t reduce_size) {
  reduce(a, out, reduce_size, [](float x, float y) { return x + y; });
}

void reduce_max(const Array& a, Array& out, int64_t reduce_size) {
  reduce(a, out, reduce_size, larger);
}

void matmul_naive(const Array& a, const Array& b, Array& out, int64_t m, int64_t n, int64_t p) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < p; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < n; ++k) sum += a[i * n + k] * b[k * p + j];
      out[i * p + j] = sum;
    }
  }
}

void to_tiles(const Array& a, Array& out, int64_t rows, int64_t cols) {
  compact(a, out, {rows / kTile, cols / kTile, kTile, kTile}, {kTile * cols, kTile, cols, 1}, 0);
}

void from_tiles(const Array& a, Array& out, int64_t rows, int64_t cols) {
  ewise_setitem(a, out, {rows / kTile, cols / kTile, kTile, kTile}, {kTile * cols, kTile, cols, 1},
                0);
}

void matmul_tiled(const Array& a, const Array& b, Array& out, int64_t m, int64_t n, int64_t p) {
  const int64_t rows = m / kTile, inner = n / kTile, cols = p / kTile, elements = kTile * kTile;
  std::fill_n(out.data(), out.size, 0.0f);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      for (int64_t k = 0; k < inner; ++k) {
        const float* const tile_of_a = a.data() + (i * inner + k) * elements;
        const float* const tile_of_b = b.data() + (k * cols + j) * elements;
        multiply_add_tile(tile_of_a, tile_of_b, out.data() + (i * cols + j) * elements);
      }
    }
  }
}

void matmul(const Array& a, const Array& b, Array& out, int64_t m, int64_t n, int64_t p) {
  if (m % kTile != 0 || n % kTile != 0 || p % kTile != 0) {
    matmul_naive(a, b, out, m, n, p);
    return;
  }
  Array tiles_of_a(m * n), tiles_of_b(n * p), tiles(m * p);
  to_tiles(a, tiles_of_a, m, n);
  to_tiles(b, tiles_of_b, n, p);
  matmul_tiled(tiles_of_a, tiles_of_b, tiles, m, n, p);
  from_tiles(tiles, out, m, p);
}

}  // namespace needle::simple
