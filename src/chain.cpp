// A chain of elementwise steps in one pass over memory.
//
// A block of elements goes through all steps before the next block does, so that what is between
// the steps stays in the first-level cache. Each step is the row function of the single kernel.
#include "chain.h"

#include <algorithm>

#include "elementwise_rows.h"
#include "kernels.h"
#include "loops.h"

namespace needle::NEEDLE_ISA {

namespace {

constexpr int64_t kBlockBytes = 4096;

// to[j] <- from[(first + j) % period]
template <typename T>
void repeat(const T* from, int64_t period, int64_t first, int64_t n, T* to) {
  int64_t done = std::min(n, period - first % period);
  std::copy_n(from + first % period, done, to);
  const int64_t once = std::min(n, done + period);
  if (done < once) std::copy_n(from, once - done, to + done);
  // What is there now goes on one period later, and so does what that makes.
  for (done = once; done < n;) {
    const int64_t whole = done / period * period;
    const int64_t next = std::min(n - done, whole);
    std::copy_n(to + done - whole, next, to + done);
    done += next;
  }
}

template <typename T>
class ChainOf {
 public:
  ChainOf(const Chain& chain, const ChainInput* inputs, const View* const* outs)
      : chain_(chain), inputs_(inputs), size_(outs[0]->size()) {
    for (std::size_t s = 0; s < chain.steps.size(); ++s) {
      const Chain::Step& step = chain.steps[s];
      if (step.is_binary) {
        binary_[s] = binary_row<T>(step.binary);
      } else {
        unary_[s] = unary_row<T>(step.unary);
      }
      grain_ = std::min(grain_, step.is_binary ? binary_[s].grain : unary_[s].grain);
    }
    for (std::size_t i = 0; i < chain.outputs.size(); ++i) {
      outs_[i] = outs[i]->data<T>();
      const std::size_t step = chain.outputs[i] - chain.inputs;
      // The last step may write straight to memory that is an input too: nobody reads it after.
      bool straight = step + 1 == chain.steps.size();
      if (!straight)
        straight = std::none_of(inputs, inputs + chain.inputs,
                                [&](const auto& x) { return x.data == outs_[i]; });
      if (straight && !straight_[step]) {
        straight_[step] = outs_[i];
      } else {
        copied_[copies_++] = i;
      }
    }
  }

  void run() const {
    const int64_t grain = fair_grain(size_, grain_);
    parallel_for((size_ + grain - 1) / grain, [&](int64_t chunk) {
      run_chunk(chunk * grain, std::min(size_, (chunk + 1) * grain));
    });
  }

 private:
  static constexpr int64_t kBlock = kBlockBytes / sizeof(T);

  void run_chunk(int64_t first, int64_t last) const {
    alignas(64) T registers[kMostChainValues][kBlock];
    Row<T> value[kMostChainValues];
    for (; first < last; first += kBlock) {
      const int64_t n = std::min(kBlock, last - first);
      int staged = chain_.registers;
      for (int i = 0; i < chain_.inputs; ++i) {
        const T* const data = static_cast<const T*>(inputs_[i].data);
        const int64_t period = inputs_[i].period;
        if (period == 1) {
          value[i] = {data, true};
        } else if (period == size_) {
          value[i] = {data + first, false};
        } else {
          T* const stage = registers[staged++];
          repeat(data, period, first, n, stage);
          value[i] = {stage, false};
        }
      }
      for (std::size_t s = 0; s < chain_.steps.size(); ++s) {
        const Chain::Step& step = chain_.steps[s];
        T* const out = straight_[s] ? straight_[s] + first : registers[step.position];
        const Row<T> a = value[step.a];
        if (step.is_binary) {
          binary_[s].run(n, a, value[step.b], out);
        } else {
          if (a.is_scalar) std::fill_n(out, n, *a.data);
          unary_[s].run(n, a.is_scalar ? out : a.data, out);
        }
        value[chain_.inputs + s] = {out, false};
      }
      for (int i = 0; i < copies_; ++i) {
        std::copy_n(value[chain_.outputs[copied_[i]]].data, n, outs_[copied_[i]] + first);
      }
    }
  }

  const Chain& chain_;
  const ChainInput* inputs_;
  int64_t size_;
  int64_t grain_ = kCheapGrain;
  std::array<UnaryRow<T>, kMostChainValues> unary_;
  std::array<BinaryRow<T>, kMostChainValues> binary_;
  std::array<T*, kMostChainValues> outs_;
  std::array<T*, kMostChainValues> straight_{};  // where a step writes to memory at once, or null
  std::array<int, kMostChainValues> copied_;     // outputs that are written when a block is done
  int copies_ = 0;
};

}  // namespace

void chain(const Chain& chain, const ChainInput* inputs, const View* const* outs) {
  dispatch_float("chain", outs[0]->dtype(),
                 [&](auto element) { ChainOf<decltype(element)>(chain, inputs, outs).run(); });
}

}  // namespace needle::NEEDLE_ISA
