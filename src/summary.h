// Minimum, maximum, mean and zeros of a view in one pass: what a recording keeps of values.
#pragma once

#include <cstdint>

#include "view.h"

namespace needle {

// Of a view whose elements are all finite; otherwise nothing but `is_finite` means anything.
struct Summary {
  bool is_finite;
  double minimum;
  double maximum;
  double mean;
  std::int64_t zeros;
};

// Of a view of float32 with at least one element; throws std::invalid_argument for other dtypes.
Summary summarize(const View& view);

}  // namespace needle
