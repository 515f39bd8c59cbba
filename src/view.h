// The two things a kernel sees: Array, a flat buffer, and View, shape and strides over one.
//
// The meaning of every kernel over them is stated in
// python/needle/backend_ndarray/ndarray_backend_numpy.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace needle {

enum class DType : std::uint8_t { kFloat32, kFloat64, kInt32, kInt64, kUInt8, kBool };
constexpr int kDTypes = 6;

constexpr std::size_t item_size(DType dtype) {
  constexpr std::size_t sizes[kDTypes] = {4, 8, 4, 8, 1, 1};
  return sizes[static_cast<int>(dtype)];
}

const char* dtype_name(DType dtype);             // "float32", ...
DType dtype_from_name(const std::string& name);  // throws std::invalid_argument

// The C++ type that holds one element. A bool is one byte, 0 or 1.
template <DType dtype>
struct ElementOf;
template <>
struct ElementOf<DType::kFloat32> {
  using type = float;
};
template <>
struct ElementOf<DType::kFloat64> {
  using type = double;
};
template <>
struct ElementOf<DType::kInt32> {
  using type = std::int32_t;
};
template <>
struct ElementOf<DType::kInt64> {
  using type = std::int64_t;
};
template <>
struct ElementOf<DType::kUInt8> {
  using type = std::uint8_t;
};
template <>
struct ElementOf<DType::kBool> {
  using type = bool;
};

// Calls visit(T{}) with the element type of `dtype`: the one switch over dtypes.
template <typename Visitor>
decltype(auto) dispatch(DType dtype, Visitor&& visit) {
  switch (dtype) {
    case DType::kFloat32:
      return visit(float{});
    case DType::kFloat64:
      return visit(double{});
    case DType::kInt32:
      return visit(std::int32_t{});
    case DType::kInt64:
      return visit(std::int64_t{});
    case DType::kUInt8:
      return visit(std::uint8_t{});
    case DType::kBool:
      return visit(bool{});
  }
  throw std::invalid_argument("unknown dtype");
}

// The same for a kernel that takes floats only.
template <typename Visitor>
void dispatch_float(const char* kernel, DType dtype, Visitor&& visit) {
  dispatch(dtype, [&](auto element) {
    if constexpr (std::is_floating_point_v<decltype(element)>) {
      visit(element);
    } else {
      throw std::invalid_argument(std::string(kernel) + " does not take dtype " +
                                  dtype_name(dtype) + "; it takes float32 and float64");
    }
  });
}

// A flat buffer of `size` elements, 64-byte aligned, uninitialised when made. Its memory comes from
// the caching allocator (memory.h), or is borrowed from `owner`.
class Array {
 public:
  Array(std::int64_t size, DType dtype);  // throws std::bad_alloc
  Array(void* data, std::int64_t size, DType dtype, std::shared_ptr<void> owner);  // borrows
  ~Array();
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  template <typename T>
  T* data() const {
    return static_cast<T*>(data_);
  }
  std::uintptr_t ptr() const { return reinterpret_cast<std::uintptr_t>(data_); }
  std::int64_t size() const { return size_; }
  std::size_t nbytes() const { return static_cast<std::size_t>(size_) * item_size(dtype_); }
  bool borrowed() const { return owner_ != nullptr; }  // somebody else may write to it, too
  DType dtype() const { return dtype_; }

  // How many kernels have written to this buffer; every kernel raises it for its `out`.
  std::int64_t version() const { return version_; }
  void raise_version() { ++version_; }

 private:
  void* data_;
  std::int64_t size_;
  DType dtype_;
  std::int64_t version_ = 0;
  std::shared_ptr<void> owner_;  // empty when the memory is the allocator's
};

constexpr int kMaxAxes = 16;
using Extents = std::array<std::int64_t, kMaxAxes>;

// Element (i, j, ...) is buffer[offset + i * strides[0] + j * strides[1] + ...]; all in elements.
struct View {
  std::shared_ptr<Array> array;
  int ndim = 0;
  Extents shape{};
  Extents strides{};
  std::int64_t offset = 0;

  DType dtype() const { return array->dtype(); }
  std::int64_t size() const {
    std::int64_t n = 1;
    for (int axis = 0; axis < ndim; ++axis) n *= shape[axis];
    return n;
  }
  template <typename T>
  T* data() const {
    return array->data<T>() + offset;
  }
};

// Whether the elements lie in row-major order without gaps or repetitions.
bool is_compact(const View& view);

// A compact (row-major) view of new memory, of the shape of `shape`.
View new_like(const View& shape, DType dtype);

}  // namespace needle
