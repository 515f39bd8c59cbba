// The vector registers of an instruction set, in the words of GCC and Clang: no intrinsics.
//
// A type with the attribute vector_size is computed with element by element, in one register where
// the instruction set has one of that size; so one source serves SSE, AVX2, AVX-512 and NEON.
#pragma once

#include <cstdint>
#include <cstring>

namespace needle::NEEDLE_ISA {

using std::int64_t;

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
constexpr int kRegisters = 32;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
constexpr int kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16;
constexpr int kRegisters = 32;
#else
constexpr int kVectorBytes = 16;
constexpr int kRegisters = 16;
#endif

// Elements in a vector; and in the narrowest that is used alone. Many processors take two cycles
// for what they do with 64 bytes, and one for half of them.
template <typename T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
template <typename T>
constexpr int kFewLanes = kVectorBytes == 64 ? kLanes<T> / 2 : kLanes<T>;

template <typename T, int lanes = kLanes<T>>
struct Vector {
  typedef T type __attribute__((vector_size(lanes * sizeof(T))));

  static type load(const T* from) {
    type v;
    std::memcpy(&v, from, sizeof(v));
    return v;
  }
  static void store(T* to, type v) { std::memcpy(to, &v, sizeof(v)); }
};

}  // namespace needle::NEEDLE_ISA
