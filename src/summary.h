// What a recording keeps of a value.
#pragma once

#include <cstdint>

namespace needle {

// Of a view whose elements are all finite; otherwise nothing but `is_finite` means anything.
struct Summary {
  bool is_finite;
  double minimum;
  double maximum;
  double mean;
  std::int64_t zeros;
};

}  // namespace needle
