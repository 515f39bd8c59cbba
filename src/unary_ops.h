// Functions of one number: the meaning of each elementwise operator of one operand.
#pragma once

#include <cstdint>
#include <type_traits>

#include "elementary.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {

// What an operator costs, and so how many elements make a chunk of work.
struct Cheap {
  static constexpr int64_t kGrain = kCheapGrain;
};
struct Dear {
  static constexpr int64_t kGrain = kDearGrain;
};

// Integer arithmetic wraps around, as NumPy's does: it is done in the unsigned type, where that is
// defined.
template <typename T>
using Wrapping = std::make_unsigned_t<T>;

struct Neg : Cheap {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(0 - static_cast<Wrapping<T>>(x));
    } else {
      return -x;
    }
  }
};

struct Abs : Cheap {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) {
      return x < 0 ? Neg{}(x) : x;
    } else {
      return magnitude(x);
    }
  }
};

struct Sign : Cheap {
  template <typename T>
  T operator()(T x) const {
    const T sign = static_cast<T>((x > 0) - (x < 0));
    return x != x ? x : sign;
  }
};

struct Relu : Cheap {
  template <typename T>
  T operator()(T x) const {
    return x <= 0 ? 0 : x;  // a NaN is not <= 0
  }
};

struct Sqrt : Cheap {
  template <typename T>
  T operator()(T x) const {
    return std::sqrt(x);
  }
};

struct Exp : Dear {
  template <typename T>
  T operator()(T x) const {
    return exp(x);
  }
};

struct Log : Dear {
  template <typename T>
  T operator()(T x) const {
    return log(x);
  }
};

struct Tanh : Dear {
  template <typename T>
  T operator()(T x) const {
    return tanh(x);
  }
};

struct Sigmoid : Dear {
  template <typename T>
  T operator()(T x) const {
    return sigmoid(x);
  }
};

// sin and cos hold up to kLargestAngle; `beyond` is what holds for every number, slowly.
struct Sin : Dear {
  template <typename T>
  T operator()(T x) const {
    return sin(x);
  }
  template <typename T>
  T beyond(T x) const {
    return std::sin(x);
  }
};

struct Cos : Dear {
  template <typename T>
  T operator()(T x) const {
    return cos(x);
  }
  template <typename T>
  T beyond(T x) const {
    return std::cos(x);
  }
};

}  // namespace needle::NEEDLE_ISA
