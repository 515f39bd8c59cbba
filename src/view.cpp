// The flat buffer behind every view, and the names of dtypes.
#include "view.h"

#include <limits>
#include <new>

#include "memory.h"

namespace needle {
namespace {

constexpr const char* kNames[kDTypes] = {"float32", "float64", "int32", "int64", "uint8", "bool"};

std::size_t checked_bytes(std::int64_t size, DType dtype) {
  if (size < 0)
    throw std::invalid_argument("a buffer cannot have " + std::to_string(size) + " elements");
  const std::uint64_t most = std::numeric_limits<std::int64_t>::max() / item_size(dtype);
  if (static_cast<std::uint64_t>(size) > most) throw std::bad_alloc();
  return static_cast<std::size_t>(size) * item_size(dtype);
}

}  // namespace

const char* dtype_name(DType dtype) { return kNames[static_cast<int>(dtype)]; }

DType dtype_from_name(const std::string& name) {
  std::string known;
  for (int i = 0; i < kDTypes; ++i) {
    if (name == kNames[i]) return static_cast<DType>(i);
    known += (i ? ", " : "") + std::string(kNames[i]);
  }
  throw std::invalid_argument("there is no dtype '" + name + "'; the dtypes are " + known);
}

Array::Array(std::int64_t size, DType dtype)
    : data_(memory::allocate(checked_bytes(size, dtype))), size_(size), dtype_(dtype) {}

Array::Array(void* data, std::int64_t size, DType dtype, std::shared_ptr<void> owner)
    : data_(data), size_(size), dtype_(dtype), owner_(std::move(owner)) {}

Array::~Array() {
  if (!owner_) memory::release(data_, nbytes());
}

bool is_compact(const View& view) {
  std::int64_t stride = 1;
  for (int axis = view.ndim - 1; axis >= 0; --axis) {
    if (view.shape[axis] != 1 && view.strides[axis] != stride) return false;
    stride *= view.shape[axis];
  }
  return true;
}

View new_like(const View& shape, DType dtype) {
  View view = shape;
  view.array = std::make_shared<Array>(shape.size(), dtype);
  view.offset = 0;
  std::int64_t stride = 1;
  for (int axis = view.ndim - 1; axis >= 0; --axis) {
    view.strides[axis] = stride;
    stride *= view.shape[axis];
  }
  return view;
}

}  // namespace needle
