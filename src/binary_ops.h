// Functions of two numbers: the meaning of each elementwise operator of two operands.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "loops.h"
#include "unary_ops.h"

namespace needle::NEEDLE_ISA {

// For bool, `add` is "or" and `mul` is "and".
struct Add : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, bool>) {
      return a | b;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    } else {
      return a + b;
    }
  }
};

struct Sub : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
    } else {
      return a - b;
    }
  }
};

struct Mul : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, bool>) {
      return a & b;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    } else {
      return a * b;
    }
  }
};

struct Div : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    return a / b;
  }
};

// y, or a NaN if x is one. Not a choice between the two: where choices are nested, the compiler
// mixes them up into twice the instructions. y - 0 is y, and with AVX-512 subtracting where x is a
// NaN is one instruction.
template <typename T>
NEEDLE_INLINE T unless_nan(T x, T y) {
  if constexpr (!std::is_floating_point_v<T>) {
    return y;
  } else {
#if defined(__AVX512F__)
    return y - (x != x ? x : T{0});
#else
    return from_bits<T>(to_bits(y) | (0 - static_cast<Bits<T>>(x != x)));
#endif
  }
}

struct Maximum : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    return unless_nan(a, a > b ? a : b);  // the choice is b, if that is a NaN
  }
};

struct Minimum : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    return unless_nan(a, a < b ? a : b);
  }
};

// For integers by squaring, which wraps as a product of `exponent` factors does; exponents are >=
// 0.
struct Power : Dear {
  template <typename T>
  T operator()(T base, T exponent) const {
    if constexpr (std::is_integral_v<T>) {
      T result = 1;
      for (auto e = static_cast<Wrapping<T>>(exponent); e != 0; e >>= 1) {
        if (e & 1) result = Mul{}(result, base);
        base = Mul{}(base, base);
      }
      return result;
    } else {
      return std::pow(base, exponent);
    }
  }
};

// Powers whose exponent is one number for all elements and which have a shorter way, at least as
// exact as `pow`.
struct FirstPower : Cheap {
  template <typename T>
  T operator()(T base, T) const {
    return base;
  }
};

struct Square : Cheap {
  template <typename T>
  T operator()(T base, T) const {
    return Mul{}(base, base);
  }
};

struct Reciprocal : Cheap {
  template <typename T>
  T operator()(T base, T) const {
    return 1 / base;
  }
};

// Unlike the square root it gives 0 for -0 and infinity for -infinity.
struct PowerOneHalf : Cheap {
  template <typename T>
  T operator()(T base, T) const {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    return base == -infinity ? infinity : std::sqrt(base + T{0});
  }
};

// The relations that are not another one with its operands exchanged.
struct Equal : Cheap {
  template <typename T>
  bool operator()(T a, T b) const {
    return a == b;
  }
};

struct NotEqual : Cheap {
  template <typename T>
  bool operator()(T a, T b) const {
    return a != b;
  }
};

struct Less : Cheap {
  template <typename T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};

struct LessEqual : Cheap {
  template <typename T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};

}  // namespace needle::NEEDLE_ISA
