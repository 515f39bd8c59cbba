// Conversion of one element from one dtype to another: C's casts, with the holes filled in.
//
// C leaves open what a float becomes that an integer cannot hold. Here a NaN, an infinity or any
// other number out of range becomes the least integer (for uint8: that of int32, cut to 8 bits,
// which is 0), as NumPy gives on x86-64. Integers wrap around.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

namespace needle::NEEDLE_ISA {

template <typename To, typename From>
inline To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From{};  // NaN is true
  } else if constexpr (std::is_floating_point_v<From> && std::is_same_v<To, std::uint8_t>) {
    return static_cast<To>(convert<std::int32_t>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr To least = std::numeric_limits<To>::min();
    constexpr From end = -static_cast<From>(least);  // the first float that is too large
    const bool fits = (x >= -end) & (x < end);
    return fits ? static_cast<To>(x) : least;
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace needle::NEEDLE_ISA
