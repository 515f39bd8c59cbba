#include "summary.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace needle {
namespace {

// Rows are taken in pieces, so that a sum of small numbers is not added to a large one for long.
constexpr std::int64_t kPiece = 1024;
constexpr std::int64_t kLanes = 8;  // side by side, so that no addition waits for the one before

template <typename T>
struct Totals {
  T minimum = std::numeric_limits<T>::infinity();
  T maximum = -std::numeric_limits<T>::infinity();
  double sum = 0;
  std::int64_t zeros = 0;

  void add(const T* x, std::int64_t n, std::int64_t stride) {
    while (n > 0) {
      const std::int64_t piece = std::min(n, stride == 1 ? kPiece : kLanes);
      if (stride == 1) {
        add_piece(x, piece);
      } else {
        T gathered[kLanes];
        for (std::int64_t i = 0; i < piece; ++i) gathered[i] = x[i * stride];
        add_piece(gathered, piece);
      }
      x += piece * stride;
      n -= piece;
    }
  }

 private:
  void add_piece(const T* x, std::int64_t n) {
    T low[kLanes], high[kLanes], total[kLanes] = {};
    std::int32_t empty[kLanes] = {};
    std::fill_n(low, kLanes, minimum);
    std::fill_n(high, kLanes, maximum);
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (std::int64_t k = 0; k < kLanes; ++k) {
        low[k] = x[i + k] < low[k] ? x[i + k] : low[k];
        high[k] = x[i + k] > high[k] ? x[i + k] : high[k];
        total[k] += x[i + k];
        empty[k] += x[i + k] == 0;
      }
    }
    for (; i < n; ++i) {
      low[0] = x[i] < low[0] ? x[i] : low[0];
      high[0] = x[i] > high[0] ? x[i] : high[0];
      total[0] += x[i];
      empty[0] += x[i] == 0;
    }
    for (std::int64_t k = 0; k < kLanes; ++k) {
      minimum = std::min(minimum, low[k]);
      maximum = std::max(maximum, high[k]);
      sum += static_cast<double>(total[k]);
      zeros += empty[k];
    }
  }
};

// What lies behind index `x` of the axes before `axis`; the `dense` last axes follow each other in
// memory.
template <typename T>
void add_rows(const View& view, int axis, int dense, const T* x, Totals<T>& totals) {
  if (axis == view.ndim - dense) {
    std::int64_t n = 1;
    for (int inner = axis; inner < view.ndim; ++inner) n *= view.shape[inner];
    totals.add(x, n, 1);
  } else if (axis == view.ndim - 1) {
    totals.add(x, view.shape[axis], view.strides[axis]);
  } else {
    for (std::int64_t i = 0; i < view.shape[axis]; ++i) {
      add_rows(view, axis + 1, dense, x + i * view.strides[axis], totals);
    }
  }
}

// How many of the last axes follow each other in memory, row-major.
int dense_axes(const View& view) {
  std::int64_t stride = 1;
  int axis = view.ndim;
  while (axis > 0 && view.strides[axis - 1] == stride) stride *= view.shape[--axis];
  return view.ndim - axis;
}

}  // namespace

Summary summarize(const View& view) {
  Summary summary{};
  dispatch_float("summary", view.dtype(), [&](auto element) {
    using T = decltype(element);
    Totals<T> totals;
    add_rows(view, 0, dense_axes(view), static_cast<const T*>(view.data<T>()), totals);
    // A NaN is in the sum, and in neither extreme.
    summary.is_finite =
        std::isfinite(totals.minimum) && std::isfinite(totals.maximum) && std::isfinite(totals.sum);
    summary.minimum = static_cast<double>(totals.minimum);
    summary.maximum = static_cast<double>(totals.maximum);
    summary.mean = totals.sum / static_cast<double>(view.size());
    summary.zeros = totals.zeros;
  });
  return summary;
}

}  // namespace needle
