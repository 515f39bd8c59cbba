// Reduces rows of numbers into a row of accumulators, and runs of neighbours into one number each.
//
// Both come down to one loop, add_rows: eight rows (or fewer) are combined in pairs, pairs of pairs
// and so on, and then join their accumulators. Many accumulators side by side are what vectorises;
// a run has kLanes of them, folded to four by halves; as folding those takes longer than a short
// run itself, many runs are folded together.
//
// Each accumulator takes its elements in an order that depends on the extents alone. Every function
// f is one of binary_ops.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "binary_ops.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {

constexpr int64_t kLanes = 16;              // accumulators of a run
constexpr int64_t kWideLanes = 4 * kLanes;  // of a long one, so that additions need not wait
constexpr int64_t kLongRun = 4 * kWideLanes;
constexpr int64_t kBatch = 64;  // runs that are folded together

// What accumulators hold before the first element: f(identity, x) is x.
template <typename A>
A identity(Add) {
  return std::is_floating_point_v<A> ? -A{0} : A{0};  // as 0 + -0 is 0
}
template <typename A>
A identity(Maximum) {
  return std::is_floating_point_v<A> ? -std::numeric_limits<A>::infinity()
                                     : std::numeric_limits<A>::lowest();
}
template <typename A>
A identity(Minimum) {
  return std::is_floating_point_v<A> ? std::numeric_limits<A>::infinity()
                                     : std::numeric_limits<A>::max();
}

// f of the `Rows` elements x[0], x[stride], x[2 stride], ..., half with half.
template <int Rows, typename A, typename F, typename T>
NEEDLE_INLINE A combined(F f, const T* x, int64_t stride) {
  if constexpr (Rows == 1) {
    return static_cast<A>(*x);
  } else {
    return f(combined<Rows / 2, A>(f, x, stride),
             combined<Rows / 2, A>(f, x + Rows / 2 * stride, stride));
  }
}

// accumulators[j] <- f of itself and column j of `Rows` rows that lie `stride` apart.
template <int Rows, typename F, typename T, typename A>
[[gnu::noinline]] void add_rows(F f, const T* x, int64_t stride, int64_t columns, A* accumulators) {
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < columns; ++j) {
    accumulators[j] = f(accumulators[j], combined<Rows, A>(f, x + j, stride));
  }
}

// The same for any number of rows.
template <typename F, typename T, typename A>
void reduce_rows(F f, int64_t rows, const T* x, int64_t stride, int64_t columns, A* accumulators) {
  for (; rows >= 8; rows -= 8, x += 8 * stride) add_rows<8>(f, x, stride, columns, accumulators);
  if (rows >= 4) {
    add_rows<4>(f, x, stride, columns, accumulators);
    rows -= 4;
    x += 4 * stride;
  }
  for (; rows > 0; --rows, x += stride) add_rows<1>(f, x, stride, columns, accumulators);
}

// lanes[j] <- f of itself and the elements j, j + kLanes, j + 2 kLanes, ... of a short run. There
// is no call in it but for what is left over. Its loops are not unrolled: that comes before they
// are vectorised, and then maxima are not.
template <typename F, typename T, typename A>
NEEDLE_INLINE void add_short_run(F f, int64_t n, const T* x, A* lanes) {
  const auto add = [&](auto rows) {
#pragma GCC unroll 1
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < kLanes; ++j) {
      lanes[j] = f(lanes[j], combined<rows(), A>(f, x + j, kLanes));
    }
    n -= rows() * kLanes;
    x += rows() * kLanes;
  };
  while (n >= 4 * kLanes) add(std::integral_constant<int, 4>());
  while (n >= kLanes) add(std::integral_constant<int, 1>());
  if (n != 0) add_rows<1>(f, x, 0, n, lanes);
}

// quarter[j] <- f of the elements j, j + kLanes / 4, j + kLanes / 2, ... of a run.
template <typename F, typename T, typename A>
void reduce_run(F f, int64_t n, const T* x, A* quarter) {
  alignas(64) A lanes[kLanes];
  std::fill_n(lanes, kLanes, identity<A>(f));
  if (n >= kLongRun) {
    A wide[kWideLanes];
    std::fill_n(wide, kWideLanes, identity<A>(f));
    reduce_rows(f, n / kWideLanes, x, kWideLanes, kWideLanes, wide);
    reduce_rows(f, kWideLanes / kLanes, wide, kLanes, kLanes, lanes);
    x += n / kWideLanes * kWideLanes;
    n %= kWideLanes;
  }
  add_short_run(f, n, x, lanes);
  constexpr int64_t kPart = kLanes / 4;
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < kPart; ++j) {
    quarter[j] = f(f(lanes[j], lanes[j + 2 * kPart]), f(lanes[j + kPart], lanes[j + 3 * kPart]));
  }
}

// out[i] <- f(x[2 i], x[2 i + 1])
template <typename F, typename A>
[[gnu::noinline]] void combine_neighbours(F f, int64_t n, const A* x, A* out) {
  NEEDLE_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) out[i] = f(x[2 * i], x[2 * i + 1]);
}

// out[i] <- f of the n neighbours from run(i) on, for up to kBatch runs.
template <typename F, typename Run, typename A>
void reduce_batch(F f, int64_t runs, int64_t n, Run run, A* out) {
  static_assert(kLanes == 16);
  alignas(64) A quarters[4 * kBatch];
  alignas(64) A halves[2 * kBatch];
  for (int64_t i = 0; i < runs; ++i) reduce_run(f, n, run(i), quarters + 4 * i);
  combine_neighbours(f, 2 * runs, quarters, halves);
  combine_neighbours(f, runs, halves, out);
}

// The same for any number of runs.
template <typename F, typename Run, typename A>
void reduce_runs(F f, int64_t runs, int64_t n, Run run, A* out) {
  for (int64_t first = 0; first < runs; first += kBatch) {
    const auto from_first = [&](int64_t i) { return run(first + i); };
    reduce_batch(f, std::min(kBatch, runs - first), n, from_first, out + first);
  }
}

}  // namespace needle::NEEDLE_ISA
