// One step of SGD or Adam for all elements of a parameter: one pass over memory.
//
// Each formula stands here as python/needle/optim computes it with arrays: the same operations in
// the same order, each rounded once. So the results are the same bits.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "kernels.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {

namespace {

// The gradient and the pull towards 0, which is added only if there is one.
template <typename T>
class Decay {
 public:
  explicit Decay(double weight_decay)
      : decays_(weight_decay != 0), weight_decay_(static_cast<T>(weight_decay)) {}
  T operator()(T g, T w) const { return decays_ ? g + weight_decay_ * w : g; }

 private:
  bool decays_;
  T weight_decay_;
};

// beta * average + (1 - beta) * x
template <typename T>
class MovingAverage {
 public:
  explicit MovingAverage(double beta)
      : beta_(static_cast<T>(beta)), rest_(static_cast<T>(1 - beta)) {}
  T operator()(T average, T x) const { return beta_ * average + rest_ * x; }

 private:
  T beta_;
  T rest_;
};

// From one element of each input, in the order in which the kernel takes them, one of each output.
template <typename T>
struct PlainSgd {
  static constexpr int64_t kGrain = kCheapGrain;
  T lr;
  Decay<T> decay;
  std::array<T, 1> operator()(T w, T g) const { return {w - lr * decay(g, w)}; }
};

template <typename T>
struct Sgd {
  static constexpr int64_t kGrain = kCheapGrain;
  T lr;
  Decay<T> decay;
  MovingAverage<T> direction;
  std::array<T, 2> operator()(T w, T g, T u) const {
    u = direction(u, decay(g, w));
    return {w - lr * u, u};
  }
};

template <typename T>
struct Adam {
  static constexpr int64_t kGrain = kDearGrain;  // a square root and a division
  T rate;
  T eps;
  Decay<T> decay;
  MovingAverage<T> first;
  MovingAverage<T> second;
  std::array<T, 3> operator()(T w, T g, T m, T v) const {
    g = decay(g, w);
    m = first(m, g);
    v = second(v, g * g);
    return {w - rate * (m / (std::sqrt(v) + eps)), m, v};
  }
};

// A row of an input, a block at a time; one element that stands for all columns is repeated.
template <typename T>
class Blocks {
 public:
  static constexpr int64_t kColumns = 512;
  explicit Blocks(Row<T> row) : row_(row) {
    if (row.is_scalar) std::fill_n(repeated_, kColumns, *row.data);
  }
  const T* from(int64_t column) const { return row_.is_scalar ? repeated_ : row_.data + column; }

 private:
  Row<T> row_;
  T repeated_[kColumns];
};

template <typename T, typename F, std::size_t... o, typename... Inputs>
void apply(F f, int64_t n, std::index_sequence<o...>, const std::array<T*, sizeof...(o)>& outs,
           const Inputs*... x) {
  const std::array<T*, sizeof...(o)> y = outs;
  NEEDLE_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    const std::array<T, sizeof...(o)> result = f(x[j]...);
    ((y[o][j] = result[o]), ...);
  }
}

// outs[0], outs[1], ... <- f(inputs[0], inputs[1], ...), element by element.
template <typename T, typename F, std::size_t... o, std::size_t... i>
void update(F f, const std::array<const View*, sizeof...(o)>& outs,
            const std::array<const View*, sizeof...(i)>& inputs, std::index_sequence<o...> each_out,
            std::index_sequence<i...>) {
  constexpr int kOuts = sizeof...(o);
  constexpr int N = kOuts + sizeof...(i);
  const TiledLoop<N> loop = plan(F::kGrain, *outs[o]..., *inputs[i]...);
  parallel_tiles(loop, [&](const Tile<N>& tile) {
    const Reader<T> readers[] = {Reader<T>(loop, kOuts + i, tile, *inputs[i])...};
    Writer<T> writers[] = {Writer<T>(loop, tile, *outs[o], o)...};
    for (int64_t row = 0; row < tile.rows; ++row) {
      const Blocks<T> x[] = {Blocks<T>(readers[i].row(row))...};
      for (int64_t first = 0; first < tile.columns; first += Blocks<T>::kColumns) {
        const int64_t n = std::min(Blocks<T>::kColumns, tile.columns - first);
        apply<T>(f, n, each_out, {(writers[o].row(row) + first)...}, x[i].from(first)...);
      }
    }
  });
}

template <typename T, typename F, std::size_t outs, std::size_t inputs>
void update(F f, const std::array<const View*, outs>& out,
            const std::array<const View*, inputs>& input) {
  update<T>(f, out, input, std::make_index_sequence<outs>(), std::make_index_sequence<inputs>());
}

}  // namespace

void sgd_plain(const View& w, const View& g, const SgdStep& step, const View& new_w) {
  dispatch_float("sgd_plain", w.dtype(), [&](auto element) {
    using T = decltype(element);
    const PlainSgd<T> formula{static_cast<T>(step.lr), Decay<T>(step.weight_decay)};
    update<T>(formula, std::array{&new_w}, std::array{&w, &g});
  });
}

void sgd(const View& w, const View& g, const View& u, const SgdStep& step, const View& new_w,
         const View& new_u) {
  dispatch_float("sgd", w.dtype(), [&](auto element) {
    using T = decltype(element);
    const Sgd<T> formula{static_cast<T>(step.lr), Decay<T>(step.weight_decay),
                         MovingAverage<T>(step.momentum)};
    update<T>(formula, std::array{&new_w, &new_u}, std::array{&w, &g, &u});
  });
}

void adam(const View& w, const View& g, const View& m, const View& v, const AdamStep& step,
          const View& new_w, const View& new_m, const View& new_v) {
  dispatch_float("adam", w.dtype(), [&](auto element) {
    using T = decltype(element);
    const Adam<T> formula{static_cast<T>(step.rate), static_cast<T>(step.eps),
                          Decay<T>(step.weight_decay), MovingAverage<T>(step.beta1),
                          MovingAverage<T>(step.beta2)};
    update<T>(formula, std::array{&new_w, &new_m, &new_v}, std::array{&w, &g, &m, &v});
  });
}

}  // namespace needle::NEEDLE_ISA
