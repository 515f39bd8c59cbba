// exp, log, tanh, sigmoid, sin and cos as short branch-free functions of one number.
//
// The C library's are calls, which no compiler can turn into vector instructions. These are plain
// arithmetic on floats and on their bits, so a loop over them vectorises for every instruction set.
// All are within 2 ulp over the whole range, subnormal numbers, infinities, NaN and -0 included
// (tests/backend_ndarray/test_math_accuracy.py measures it).
//
// The method is the classic one (Cody & Waite, Software Manual for the Elementary Functions, 1980;
// Sun's fdlibm): bring the argument into a small interval, where a polynomial is exact to the last
// bit, and undo the step exactly. The coefficients are minimax polynomials of the relative error
// (Remez' algorithm in 200 bits, then rounded).
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace needle::NEEDLE_ISA {

// GCC does not see that a call inside a loop keeps the loop from being vectorised.
#define NEEDLE_INLINE [[gnu::always_inline]] inline

// a * b + c: with one rounding where the processor does it in one instruction. Contraction is off
// everywhere else, so this is the only place where the instruction sets differ.
NEEDLE_INLINE float mul_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
NEEDLE_INLINE double mul_add(double a, double b, double c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// c + x (d + x (e + ...))
template <typename T>
NEEDLE_INLINE T horner(T, T c) {
  return c;
}
template <typename T, typename... Rest>
NEEDLE_INLINE T horner(T x, T c, Rest... rest) {
  return mul_add(x, horner(x, rest...), c);
}

// The layout of IEEE 754 numbers.
template <typename T>
struct Format;
template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kFraction = 23;
  static constexpr Bits kBias = 127;
  static constexpr Bits kSqrtHalf = 0x3f3504f3;
  static constexpr float kRounder = 0x1.8p23f;
};
template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kFraction = 52;
  static constexpr Bits kBias = 1023;
  static constexpr Bits kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr double kRounder = 0x1.8p52;
};
template <typename T>
using Bits = typename Format<T>::Bits;

template <typename T>
NEEDLE_INLINE Bits<T> to_bits(T x) {
  Bits<T> bits;
  std::memcpy(&bits, &x, sizeof x);
  return bits;
}
template <typename T>
NEEDLE_INLINE T from_bits(Bits<T> bits) {
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <typename T>
inline constexpr Bits<T> kSignBit = Bits<T>{1} << (8 * sizeof(T) - 1);

template <typename T>
NEEDLE_INLINE T magnitude(T x) {
  return from_bits<T>(to_bits(x) & ~kSignBit<T>);
}
template <typename T>
NEEDLE_INLINE T flip_sign(T x, Bits<T> sign_bit) {
  return from_bits<T>(to_bits(x) ^ sign_bit);
}

// 2^(biased - bias), for biased exponents of normal numbers.
template <typename T>
NEEDLE_INLINE T power_of_two(Bits<T> biased) {
  return from_bits<T>(biased << Format<T>::kFraction);
}

// The nearest integer as a number and as an integer (modulo 2^32 or 2^64): adding 1.5 * 2^fraction
// leaves no bits for the digits behind the point, and the integer in the low bits. Unlike a cast it
// is defined for every x, NaN included.
template <typename T>
struct Rounded {
  T value;
  Bits<T> integer;
};
template <typename T>
NEEDLE_INLINE Rounded<T> round_to_integer(T x) {
  const T shifted = x + Format<T>::kRounder;
  return {shifted - Format<T>::kRounder, to_bits(shifted) - to_bits(Format<T>::kRounder)};
}
// The small integer (modulo 2^32 or 2^64) as a number, by the same trick backwards.
template <typename T>
NEEDLE_INLINE T to_number(Bits<T> integer) {
  return from_bits<T>(to_bits(Format<T>::kRounder) + integer) - Format<T>::kRounder;
}

// exp ---------------------------------------------------------------------------------------------

// ln 2 in two parts; n times the first is exact for every exponent n.
template <typename T>
inline constexpr T kLn2High = 0x1.62e42fefa3p-1;
template <typename T>
inline constexpr T kLn2Low = 0x1.3de6af278ece6p-42;
template <>
inline constexpr float kLn2High<float> = 0x1.63p-1f;
template <>
inline constexpr float kLn2Low<float> = -0x1.bd0106p-13f;

// e^x = 2^n e^r with |r| <= ln(2) / 2, and tail = e^r - 1 - r.
template <typename T>
struct ExpParts {
  Bits<T> n;
  T r;
  T tail;
};

NEEDLE_INLINE float exp_tail(float r) {
  return r * r *
         horner(r, 0x1p-1f, 0x1.555554p-3f, 0x1.5554b2p-5f, 0x1.111188p-7f, 0x1.6d7204p-10f,
                0x1.a0339ep-13f);
}
NEEDLE_INLINE double exp_tail(double r) {
  return r * r *
         horner(r, 0x1p-1, 0x1.5555555555559p-3, 0x1.555555555553fp-5, 0x1.111111110f6d7p-7,
                0x1.6c16c16c1efd0p-10, 0x1.a01a01afd714ap-13, 0x1.a01a017bf4895p-16,
                0x1.71ddf872b407bp-19, 0x1.27e535c9d6621p-22, 0x1.af5e900013510p-26,
                0x1.1ee929db9a5efp-29);
}

template <typename T>
NEEDLE_INLINE ExpParts<T> exp_parts(T x) {
  const Rounded<T> n = round_to_integer(x * static_cast<T>(0x1.71547652b82fep+0));  // x / ln 2
  const T r = mul_add(n.value, -kLn2Low<T>, mul_add(n.value, -kLn2High<T>, x));
  return {n.integer, r, exp_tail(r)};
}

template <typename T>
NEEDLE_INLINE T exp(T x) {
  // From here on the result is 0 or infinity, and n may be anything.
  constexpr T lowest = sizeof(T) == 4 ? -104 : -746;
  constexpr T highest = sizeof(T) == 4 ? 89 : 710;
  const ExpParts<T> e = exp_parts(x);
  const T head = 1 + e.r;
  const T y = head + ((1 - head) + e.r + e.tail);  // what `head` lost is added back
  // In two steps, as 2^n itself may be too large or too small for a normal number.
  const Bits<T> biased = e.n + 2 * Format<T>::kBias;
  const Bits<T> half = biased >> 1;
  const T scaled = y * power_of_two<T>(half) * power_of_two<T>(biased - half);
  const T not_too_small = x < lowest ? 0 : scaled;
  return x > highest ? std::numeric_limits<T>::infinity() : not_too_small;
}

// With m = e^2x - 1, tanh x = m / (m + 2), for x >= 0; then the sign of x. Written as a simple
// first term and a small fraction, as the rounding errors of the fraction are then small too.
template <typename T>
NEEDLE_INLINE T tanh(T signed_x) {
  constexpr T one_from = sizeof(T) == 4 ? 10 : 22;
  const T x = magnitude(signed_x);
  const ExpParts<T> e = exp_parts(2 * x);
  const T scale = power_of_two<T>(e.n + Format<T>::kBias);
  const T m = mul_add(scale, e.r + e.tail, scale - 1);
  const bool small = x < static_cast<T>(0.6);
  const T first = small ? x : 1;
  const T numerator = small ? mul_add(-x, m, m - 2 * x) : -2;
  const T y = first + numerator / (m + 2);
  return flip_sign(x > one_from ? 1 : y, to_bits(signed_x) & kSignBit<T>);
}

// With e = e^-|x|, so that nothing overflows: y = 1 / (1 + e), and y = e / (1 + e) = e - e y for
// negative x, where the division's error touches the small term only.
template <typename T>
NEEDLE_INLINE T sigmoid(T x) {
  const T e = exp(-magnitude(x));
  const T y = (x < 0 ? e : 1) / (1 + e);
  return x < 0 ? mul_add(-e, y, e) : y;
}

// log ---------------------------------------------------------------------------------------------

// log(1 + f) + n ln 2 for sqrt(1/2) <= 1 + f <= sqrt(2)
NEEDLE_INLINE float log_polynomial(float f, float n) {
  const float p =
      horner(f, 0x1.555548p-2f, -0x1.000006p-2f, 0x1.99a4aep-3f, -0x1.555c4ep-3f, 0x1.2337eap-3f,
             -0x1.fc2284p-4f, 0x1.e6ea3p-4f, -0x1.de36e4p-4f, 0x1.145e34p-4f);
  const float square = f * f;
  const float tail = mul_add(n, kLn2Low<float>, square * mul_add(f, p, -0.5f));
  return mul_add(n, kLn2High<float>, f + tail);
}
// Here as 2 atanh(s) with s = f / (2 + f), a series in s^2: fewer terms for 53 bits.
NEEDLE_INLINE double log_polynomial(double f, double n) {
  const double s = f / (2 + f);
  const double z = s * s;
  const double series = z * horner(z, 0x1.5555555555572p-1, 0x1.9999999988a41p-2,
                                   0x1.2492493b33f72p-2, 0x1.c71c56f0016f6p-3, 0x1.746553c84d46ap-3,
                                   0x1.39b7b06738755p-3, 0x1.2e362dea0a030p-3);
  const double half_square = 0.5 * f * f;
  const double tail = mul_add(n, kLn2Low<double>, s * (half_square + series));
  return mul_add(n, kLn2High<double>, f - (half_square - tail));
}

template <typename T>
NEEDLE_INLINE T log(T x) {
  using F = Format<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const bool subnormal = x < std::numeric_limits<T>::min();
  const T normal = subnormal ? x * power_of_two<T>(F::kBias + F::kFraction) : x;
  // x = 2^n (1 + f); the exponent is read after a shift that lets it change at sqrt(1/2) instead of
  // at 1.
  const Bits<T> shifted = to_bits(normal) + ((F::kBias << F::kFraction) - F::kSqrtHalf);
  const Bits<T> n = (shifted >> F::kFraction) - (F::kBias + (subnormal ? F::kFraction : 0));
  const Bits<T> fraction = shifted & ((Bits<T>{1} << F::kFraction) - 1);
  const T f = from_bits<T>(fraction + F::kSqrtHalf) - 1;
  const T y = log_polynomial(f, to_number<T>(n));
  const T at_most_zero = x == 0 ? -infinity : std::numeric_limits<T>::quiet_NaN();
  return x > 0 ? (x < infinity ? y : x) : at_most_zero;
}

// sin and cos -------------------------------------------------------------------------------------

// Up to here the reduction below is exact; beyond it callers take the C library's functions.
constexpr double kLargestAngle = 0x1p20;

// sin(|x| + quarters * pi / 2) for |x| <= kLargestAngle, by |x| = n pi/2 + r, and the sign bit
// flipped by `sign`.
NEEDLE_INLINE double shifted_sine(double x, std::uint64_t quarters, std::uint64_t sign) {
  x = magnitude(x);
  const Rounded<double> n = round_to_integer(x * 0x1.45f306dc9c883p-1);  // x / (pi / 2)
  // pi / 2 in three parts of 33 bits: n times the first two is exact.
  const double high = (x - n.value * 0x1.921fb544p+0) - n.value * 0x1.0b4611a6p-34;
  const double r = high - n.value * 0x1.3198a2e037073p-69;
  const double z = r * r;
  const double sine =
      r + r * z *
              horner(z, -0x1.5555555555549p-3, 0x1.111111110f8b2p-7, -0x1.a01a019c168a4p-13,
                     0x1.71de357ad124bp-19, -0x1.ae5e67fc464d6p-26, 0x1.5d935ccb09693p-33);
  const double half_square = 0.5 * z;
  const double near_one = 1 - half_square;  // its rounding error is added back below
  const double cosine = near_one + ((1 - near_one) - half_square +
                                    z * z *
                                        horner(z, 0x1.555555555554ep-5, -0x1.6c16c16c15501p-10,
                                               0x1.a01a019cfdb24p-16, -0x1.27e4f83a8c129p-22,
                                               0x1.1eea09ad25020p-29, -0x1.8fbcac394809dp-37));
  const std::uint64_t quadrant = n.integer + quarters;
  const std::uint64_t odd = 0 - (quadrant & 1);
  const std::uint64_t bits = (to_bits(cosine) & odd) | (to_bits(sine) & ~odd);
  return from_bits<double>(bits ^ ((quadrant & 2) << 62) ^ sign);
}

// float32 goes through double: its fractions of a turn then keep all their digits.
template <typename T>
NEEDLE_INLINE T sin(T x) {
  const double angle = x;
  return static_cast<T>(shifted_sine(angle, 0, to_bits(angle) & kSignBit<double>));
}
template <typename T>
NEEDLE_INLINE T cos(T x) {
  return static_cast<T>(shifted_sine(x, 1, 0));
}

}  // namespace needle::NEEDLE_ISA
