// Kernels that follow an index: gather, its transpose scatter_add, and set_one_hot.
//
// An operand of any strides is cut into lines along one axis: the one with the smallest stride
// among those that are not indexed. Everything is computed in the order of the indices, so the
// result is the same for any number of threads.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels.h"
#include "parallel.h"

namespace needle {
namespace {

using std::int64_t;

constexpr int64_t kGrain = 32768;  // elements of a chunk of work

template <typename Number>
[[noreturn]] void reject(Number index, const std::string& reason) {
  std::ostringstream message;
  message << "index " << index << " is " << reason;
  throw std::out_of_range(message.str());
}

// The position that an index names; IndexError unless it is whole and 0 <= index < extent.
template <typename T>
int64_t position_of(T index, int64_t extent) {
  using Number = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
  const Number number = index;
  if constexpr (std::is_floating_point_v<T>) {
    if (std::trunc(number) != number) reject(number, "not a whole number");  // a NaN is not, either
  }
  if (number < 0 || number >= static_cast<Number>(extent)) {
    reject(number, "out of bounds for an axis of extent " + std::to_string(extent));
  }
  return static_cast<int64_t>(number);
}

// The positions that `indices` (one axis, any dtype) name. They are copied, so that no other Python
// thread can change them after they were checked.
std::vector<int64_t> positions_in(const View& indices, int64_t extent) {
  std::vector<int64_t> positions(static_cast<std::size_t>(indices.shape[0]));
  dispatch(indices.dtype(), [&](auto element) {
    const auto* index = indices.data<decltype(element)>();
    for (int64_t& position : positions) {
      position = position_of(*index, extent);
      index += indices.strides[0];
    }
  });
  return positions;
}

// The axes of `chosen` other than the indexed one: a line along the densest of them, and the rest,
// which number the lines.
struct Lines {
  int64_t length = 1;
  int64_t chosen_stride = 1;
  int64_t source_stride = 1;
  int64_t count = 1;  // lines for each index
  int outer = 0;      // the axes that number them
  Extents extents{};
  Extents chosen_strides{};
  Extents source_strides{};

  Lines(const View& chosen, const View& source, int indexed) {
    int line = -1;
    for (int axis = 0; axis < chosen.ndim; ++axis) {
      if (axis == indexed || chosen.shape[axis] == 1) continue;
      if (line < 0 || std::abs(chosen.strides[axis]) <= std::abs(chosen.strides[line])) line = axis;
    }
    for (int axis = 0; axis < chosen.ndim; ++axis) {
      if (axis == indexed) continue;
      if (axis == line) {
        length = chosen.shape[axis];
        chosen_stride = chosen.strides[axis];
        source_stride = source.strides[axis];
      } else {
        extents[outer] = chosen.shape[axis];
        chosen_strides[outer] = chosen.strides[axis];
        source_strides[outer] = source.strides[axis];
        count *= chosen.shape[axis];
        ++outer;
      }
    }
  }

  // Where line number `number` begins in the two views.
  std::pair<int64_t, int64_t> start(int64_t number) const {
    int64_t chosen = 0;
    int64_t source = 0;
    for (int axis = outer - 1; axis >= 0; --axis) {
      const int64_t index = number % extents[axis];
      number /= extents[axis];
      chosen += index * chosen_strides[axis];
      source += index * source_strides[axis];
    }
    return {chosen, source};
  }
};

template <typename T>
void copy_line(int64_t n, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  if (from_stride == 1 && to_stride == 1) {
    std::copy_n(from, n, to);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

template <typename T>
void add_line(int64_t n, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  for (int64_t i = 0; i < n; ++i) {
    T& sum = to[i * to_stride];
    const T value = from[i * from_stride];
    if constexpr (std::is_same_v<T, bool>) {
      sum = sum || value;
    } else if constexpr (std::is_integral_v<T>) {  // wraps around, as NumPy's integers do
      using Unsigned = std::make_unsigned_t<T>;
      sum = static_cast<T>(static_cast<Unsigned>(sum) + static_cast<Unsigned>(value));
    } else {
      sum += value;
    }
  }
}

int64_t chunks_of(int64_t count, int64_t grain) { return (count + grain - 1) / grain; }

}  // namespace

void gather(const View& a, const View& indices, int axis, const View& out) {
  const std::vector<int64_t> positions = positions_in(indices, a.shape[axis]);
  if (out.size() == 0) return;
  const Lines lines(out, a, axis);
  const auto size = static_cast<int64_t>(positions.size());
  const int64_t part = std::max<int64_t>(1, kGrain / lines.length);
  const int64_t parts = chunks_of(size, part);
  dispatch(a.dtype(), [&](auto element) {
    using T = decltype(element);
    parallel_for(lines.count * parts, [&](int64_t chunk) {
      const auto [to, from] = lines.start(chunk / parts);
      const int64_t first = chunk % parts * part;
      for (int64_t j = first; j < std::min(size, first + part); ++j) {
        copy_line(lines.length, a.data<T>() + from + positions[j] * a.strides[axis],
                  lines.source_stride, out.data<T>() + to + j * out.strides[axis],
                  lines.chosen_stride);
      }
    });
  });
}

void scatter_add(const View& a, const View& indices, int axis, const View& out) {
  const std::vector<int64_t> positions = positions_in(indices, out.shape[axis]);
  if (a.size() == 0) return;
  const Lines lines(a, out, axis);
  const auto size = static_cast<int64_t>(positions.size());
  // Two indices may be equal, so a chunk takes all indices, and a part of one line.
  const int64_t part = std::clamp<int64_t>(kGrain / size, 16, std::max<int64_t>(16, lines.length));
  const int64_t parts = chunks_of(lines.length, part);
  dispatch(a.dtype(), [&](auto element) {
    using T = decltype(element);
    parallel_for(lines.count * parts, [&](int64_t chunk) {
      const auto [from, to] = lines.start(chunk / parts);
      const int64_t first = chunk % parts * part;
      const T* source = a.data<T>() + from + first * lines.chosen_stride;
      T* target = out.data<T>() + to + first * lines.source_stride;
      for (int64_t j = 0; j < size; ++j) {
        add_line(std::min(part, lines.length - first), source + j * a.strides[axis],
                 lines.chosen_stride, target + positions[j] * out.strides[axis],
                 lines.source_stride);
      }
    });
  });
}

void set_one_hot(const View& indices, const View& out) {
  const std::vector<int64_t> positions = positions_in(indices, out.shape[1]);
  dispatch(out.dtype(), [&](auto element) {
    using T = decltype(element);
    T* row = out.data<T>();
    for (const int64_t position : positions) {
      for (int64_t j = 0; j < out.shape[1]; ++j) row[j * out.strides[1]] = T(j == position);
      row += out.strides[0];
    }
  });
}

}  // namespace needle
