// Copies of any view to any other, cast on the way; a fill is the copy of a view of stride 0.
#include <algorithm>
#include <type_traits>

#include "convert.h"
#include "kernels.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {
namespace {

// One row: next to each other on both sides, one element for all, or strided.
template <typename From, typename To>
void copy_row(std::int64_t n, const From* from, std::int64_t from_stride, To* to,
              std::int64_t to_stride) {
  if (from_stride == 1 && to_stride == 1) {
    NEEDLE_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) to[i] = convert<To>(from[i]);
  } else if (from_stride == 0 && to_stride == 1) {
    std::fill_n(to, n, convert<To>(*from));
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * to_stride] = convert<To>(from[i * from_stride]);
  }
}

template <typename From, typename To>
void copy_tiles(const TiledLoop<2>& loop, const View& a, const View& out) {
  parallel_tiles(loop, [&](const Tile<2>& tile) {
    const Block<const From> from{a.data<From>() + tile.offset[1], loop.row.strides[1],
                                 loop.column.strides[1]};
    const Block<To> to{out.data<To>() + tile.offset[0], loop.row.strides[0],
                       loop.column.strides[0]};
    if constexpr (std::is_same_v<From, To>) {
      if (from.column != 0) return copy_block<To>(tile.rows, tile.columns, from, to);
    }
    for (std::int64_t i = 0; i < tile.rows; ++i) {
      copy_row(tile.columns, from.data + i * from.row, from.column, to.data + i * to.row,
               to.column);
    }
  });
}

// Of all pairs of dtypes, those that training needs: floats, and the bytes of images as floats.
template <typename From, typename To>
constexpr bool kCopiedHere =
    kCompiledHere<To> && (kCompiledHere<From> || std::is_same_v<From, std::uint8_t>);

}  // namespace

void copy(const View& a, const View& out) {
  dispatch(a.dtype(), [&](auto from) {
    dispatch(out.dtype(), [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      if constexpr (kCopiedHere<From, To>) {
        copy_tiles<From, To>(plan(kCheapGrain, out, a), a, out);
      } else {
        baseline::kernels().copy(a, out);
      }
    });
  });
}

}  // namespace needle::NEEDLE_ISA
