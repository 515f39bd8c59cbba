// Minimum, maximum, mean and zeros of a view in one pass.
#include "summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels.h"

namespace needle::NEEDLE_ISA {
namespace {

// Rows are taken in pieces, so that a sum of small numbers is not added to a large one for long.
constexpr std::int64_t kPiece = 1024;
constexpr std::int64_t kLanes = 16;  // side by side, so that no addition waits for the one before

struct Totals {
  float minimum = std::numeric_limits<float>::infinity();
  float maximum = -std::numeric_limits<float>::infinity();
  double sum = 0;
  std::int64_t zeros = 0;

  void add(const float* x, std::int64_t n, std::int64_t stride) {
    float gathered[kPiece];
    for (std::int64_t first = 0; first < n; first += kPiece) {
      const std::int64_t piece = std::min(n - first, kPiece);
      const float* from = x + first * stride;
      if (stride != 1) {
        for (std::int64_t i = 0; i < piece; ++i) gathered[i] = from[i * stride];
        from = gathered;
      }
      add_piece(from, piece);
    }
  }

 private:
  void add_piece(const float* x, std::int64_t n) {
    float low[kLanes], high[kLanes], total[kLanes] = {};
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
[[gnu::noinline]] void add_rows(const View& view, int axis, int dense, const float* x,
                                Totals& totals) {
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
  if (view.dtype() != DType::kFloat32) throw std::invalid_argument("summary takes float32");
  Totals totals;
  add_rows(view, 0, dense_axes(view), view.data<float>(), totals);
  // A NaN is in the sum, and in neither extreme.
  const bool is_finite =
      std::isfinite(totals.minimum) && std::isfinite(totals.maximum) && std::isfinite(totals.sum);
  return {is_finite, totals.minimum, totals.maximum, totals.sum / static_cast<double>(view.size()),
          totals.zeros};
}

}  // namespace needle::NEEDLE_ISA
