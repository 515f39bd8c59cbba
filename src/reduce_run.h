// Reduces rows of numbers: into a row of accumulators, and a run of neighbours into one number.
//
// Each accumulator takes its elements in an order that depends on the extent alone, and many
// accumulators side by side are what vectorises. Every function f is one of binary_ops.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "loops.h"

namespace needle::NEEDLE_ISA {

constexpr int64_t kLanes = 64;                      // accumulators of a run
constexpr int64_t kBlockRows = 16;                  // elements that a lane adds up in one go
constexpr int64_t kFewElements = 16;                // a run of so few is added up one by one
constexpr std::integral_constant<int64_t, 1> kOne;  // the stride that vectorises best

// accumulators <- one row, or f of them and the row, element by element.
template <typename T, typename F, typename A, typename Stride>
void add_row(F f, const T* x, Stride stride, int64_t columns, bool first, A* accumulators) {
  if (first) {
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < columns; ++j) accumulators[j] = static_cast<A>(x[j * stride]);
  } else {
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < columns; ++j) {
      accumulators[j] = f(accumulators[j], static_cast<A>(x[j * stride]));
    }
  }
}

// The same for two rows at once, which halves the traffic of the accumulators.
template <typename T, typename F, typename A, typename Stride>
void add_two_rows(F f, const T* x, const T* y, Stride stride, int64_t columns, A* accumulators) {
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < columns; ++j) {
    const A both = f(static_cast<A>(x[j * stride]), static_cast<A>(y[j * stride]));
    accumulators[j] = f(accumulators[j], both);
  }
}

// Reduces `count` rows, which next() gives one after the other.
template <typename T, typename F, typename Next, typename A, typename Stride>
void reduce_rows(F f, int64_t count, Next next, Stride stride, int64_t columns, A* accumulators) {
  add_row<T>(f, next(), stride, columns, true, accumulators);
  int64_t i = 1;
  for (; i + 2 <= count; i += 2) {
    const T* const x = next();
    add_two_rows<T>(f, x, next(), stride, columns, accumulators);
  }
  if (i < count) add_row<T>(f, next(), stride, columns, false, accumulators);
}

// Combines the first `Width` lanes (a power of two) into lane 0, half with half.
template <int64_t Width, typename F, typename A>
NEEDLE_INLINE void fold(F f, A* lanes) {
  if constexpr (Width > 1) {
    for (int64_t j = 0; j < Width / 2; ++j) lanes[j] = f(lanes[j], lanes[j + Width / 2]);
    fold<Width / 2>(f, lanes);
  }
}

// The same for fewer lanes than there could be.
template <typename F, typename A>
void fold(F f, int64_t width, A* lanes) {
  while (width > 1) {
    const int64_t half = (width + 1) / 2;
    for (int64_t j = 0; j < width - half; ++j) lanes[j] = f(lanes[j], lanes[j + half]);
    width = half;
  }
}

// One number from n neighbours (or elements `stride` apart). Lane j takes elements j, j + kLanes, j
// + 2 kLanes, ...; blocks of them are added up by themselves first. A few are added one by one.
template <typename A, typename F, typename T, typename Stride>
A reduce_run(F f, int64_t n, const T* x, Stride stride) {
  if (n <= kFewElements) {
    A total = static_cast<A>(*x);
    for (int64_t j = 1; j < n; ++j) total = f(total, static_cast<A>(x[j * stride]));
    return total;
  }
  A total[kLanes];
  const auto next = [&] { return std::exchange(x, x + kLanes * stride); };
  const int64_t rows = n / kLanes;
  if (rows > 0) reduce_rows<T>(f, std::min(kBlockRows, rows), next, stride, kLanes, total);
  for (int64_t first = kBlockRows; first < rows; first += kBlockRows) {
    A lanes[kLanes];
    reduce_rows<T>(f, std::min(kBlockRows, rows - first), next, stride, kLanes, lanes);
    add_row<A>(f, lanes, kOne, kLanes, false, total);
  }
  if (const int64_t rest = n % kLanes; rest != 0) {
    add_row<T>(f, x, stride, rest, rows == 0, total);
  }
  if (rows == 0) {
    fold(f, n, total);
  } else {
    fold<kLanes>(f, total);
  }
  return total[0];
}

}  // namespace needle::NEEDLE_ISA
