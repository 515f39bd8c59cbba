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

// Two plain choices instead of one condition of two parts: so nests of them vectorise too.
struct Maximum : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    const T larger = a > b ? a : b;  // b, if it is a NaN
    return a != a ? a : larger;
  }
};

struct Minimum : Cheap {
  template <typename T>
  T operator()(T a, T b) const {
    const T smaller = a < b ? a : b;
    return a != a ? a : smaller;
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
