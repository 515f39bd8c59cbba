// The device cpu_simple(): flat buffers of floats, and the two dozen functions on them that make a
// device.
//
// Buffers hold their elements in row-major order, from the first to the last. Where a function
// takes shape, strides and offset, these describe a view: its element (i, j, ...) is element
// offset + i * strides[0] + j * strides[1] + ... of the buffer. Sizes fit together when a function
// is called (the bindings see to that), and there is always an element to compute.
// python/needle/backend_ndarray/flat.py makes a whole device of these functions.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace needle::simple {

// Matrices are cut into tiles of kTile x kTile elements.
constexpr std::int64_t kTile = 8;

using Extents = std::vector<std::int64_t>;

// A buffer of `size` floats, which are not set yet.
struct Array {
  explicit Array(std::int64_t size) : size(size), elements(new float[size]) {}

  float& operator[](std::int64_t place) { return elements[place]; }
  float operator[](std::int64_t place) const { return elements[place]; }
  float* data() { return elements.get(); }
  const float* data() const { return elements.get(); }

  const std::int64_t size;

 private:
  std::unique_ptr<float[]> elements;
};

// Views ------------------------------------------------------------------------------------------

// out <- the elements of the view of a, in row-major order.
void compact(const Array& a, Array& out, const Extents& shape, const Extents& strides,
             std::int64_t offset);
// The elements of the view of out, in row-major order <- those of a.
void ewise_setitem(const Array& a, Array& out, const Extents& shape, const Extents& strides,
                   std::int64_t offset);
// Every element of the view of out <- val.
void scalar_setitem(float val, Array& out, const Extents& shape, const Extents& strides,
                    std::int64_t offset);

// Elementwise ------------------------------------------------------------------------------------

// out[i] <- val.
void fill(Array& out, float val);

// out[i] <- f(a[i], b[i]). eq and ge give 1 where the relation holds, else 0. maximum gives NaN
// where one of the two is.
void ewise_add(const Array& a, const Array& b, Array& out);
void ewise_mul(const Array& a, const Array& b, Array& out);
void ewise_div(const Array& a, const Array& b, Array& out);
void ewise_maximum(const Array& a, const Array& b, Array& out);
void ewise_eq(const Array& a, const Array& b, Array& out);
void ewise_ge(const Array& a, const Array& b, Array& out);

// out[i] <- f(a[i], val). power is a[i] to the power val.
void scalar_add(const Array& a, float val, Array& out);
void scalar_mul(const Array& a, float val, Array& out);
void scalar_div(const Array& a, float val, Array& out);
void scalar_maximum(const Array& a, float val, Array& out);
void scalar_eq(const Array& a, float val, Array& out);
void scalar_ge(const Array& a, float val, Array& out);
void scalar_power(const Array& a, float val, Array& out);

// out[i] <- f(a[i]).
void ewise_log(const Array& a, Array& out);
void ewise_exp(const Array& a, Array& out);
void ewise_tanh(const Array& a, Array& out);

// Reductions -------------------------------------------------------------------------------------

// out[i] <- the sum, or the largest, of reduce_size neighbours: elements i * reduce_size, ... of a.
// reduce_max gives NaN where there is one.
void reduce_sum(const Array& a, Array& out, std::int64_t reduce_size);
void reduce_max(const Array& a, Array& out, std::int64_t reduce_size);

// Matrix products --------------------------------------------------------------------------------

// out (m, p) <- a (m, n) times b (n, p).
void matmul_naive(const Array& a, const Array& b, Array& out, std::int64_t m, std::int64_t n,
                  std::int64_t p);

// A matrix of so many rows and columns, multiples of kTile, is cut into tiles: these lie one after
// another, a row of tiles after the other, and each of them is a row-major matrix of its own.
void to_tiles(const Array& a, Array& out, std::int64_t rows, std::int64_t cols);
// The way back: a holds tiles, out becomes the row-major matrix.
void from_tiles(const Array& a, Array& out, std::int64_t rows, std::int64_t cols);
// The product of matrices that are cut, as out is then; m, n and p are multiples of kTile.
void matmul_tiled(const Array& a, const Array& b, Array& out, std::int64_t m, std::int64_t n,
                  std::int64_t p);

// out (m, p) <- a (m, n) times b (n, p), by tiles where the extents are multiples of kTile.
void matmul(const Array& a, const Array& b, Array& out, std::int64_t m, std::int64_t n,
            std::int64_t p);

}  // namespace needle::simple
