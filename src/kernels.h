// The kernels, one family a function, and the table through which the active instruction set is
// reached.
//
// The files in CMakeLists.txt's KERNEL_SOURCES are compiled once for each instruction set, with
// NEEDLE_ISA set to its name (baseline, avx2, avx512), and hold everything in
// `namespace needle::NEEDLE_ISA` or in an unnamed namespace. Each set fills one Kernels table;
// `kernels()` gives the table chosen when the library was loaded.
#pragma once

#include "summary.h"
#include "view.h"

namespace needle {

enum class Unary { kNeg, kAbs, kSign, kRelu, kLog, kExp, kTanh, kSqrt, kSin, kCos, kSigmoid };
enum class Binary {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPower,
  kMaximum,
  kMinimum,
  kEq,
  kNe,
  kGe,
  kGt,
  kLe,
  kLt
};
enum class Reduction { kSum, kMax, kMin, kArgmax };
// The ways to multiply matrices that `matmul` chooses from.
enum class Rung { kSimd, kPacked, kDot };

// The numbers of one step of an optimizer, which each kernel rounds to the dtype it works in.
struct SgdStep {
  double lr;
  double momentum;  // sgd_plain has none
  double weight_decay;
};
struct AdamStep {
  double rate;  // the learning rate, with the bias corrections in it
  double beta1;
  double beta2;
  double eps;
  double weight_decay;
};

struct Chain;  // chain.h
struct ChainInput;

struct Kernels {
  const char* isa;
  void (*unary)(Unary op, const View& a, const View& out);
  // A scalar operand is a view of stride 0.
  void (*binary)(Binary op, const View& a, const View& b, const View& out);
  void (*chain)(const Chain& chain, const ChainInput* inputs, const View* const* outs);
  void (*where)(const View& condition, const View& a, const View& b, const View& out);
  void (*copy)(const View& a, const View& out);
  void (*reduce)(Reduction op, const View& a, const View& out);
  void (*matmul)(const View& a, const View& b, const View& out);
  void (*matmul_rung)(Rung rung, const View& a, const View& b, const View& out);  // of floats
  void (*logsumexp)(const View& a, const View& out);
  void (*softmax)(const View& a, const View& out);
  void (*logsoftmax)(const View& a, const View& out);
  void (*softmax_gradient)(const View& s, const View& g, const View& out);
  void (*logsoftmax_gradient)(const View& y, const View& g, const View& out);
  void (*softmax_loss)(const View& z, const View& one_hot, const View& out);
  void (*softmax_loss_gradient)(const View& z, const View& one_hot, const View& g, const View& out);
  void (*layer_norm)(const View& x, const View& weight, const View& bias, double eps,
                     const View& out);
  void (*layer_norm_gradient)(const View& x, const View& weight, const View& g, double eps,
                              const View& dx, const View& dweight, const View& dbias);
  void (*batch_norm)(const View& x, const View& weight, const View& bias, double eps,
                     const View& out);
  void (*batch_norm_gradient)(const View& x, const View& weight, const View& g, double eps,
                              const View& dx, const View& dweight, const View& dbias);
  void (*moments)(const View& x, const View& mean, const View& var);
  void (*sgd_plain)(const View& w, const View& g, const SgdStep& step, const View& new_w);
  void (*sgd)(const View& w, const View& g, const View& u, const SgdStep& step, const View& new_w,
              const View& new_u);
  void (*adam)(const View& w, const View& g, const View& m, const View& v, const AdamStep& step,
               const View& new_w, const View& new_m, const View& new_v);
  // Of a view of float32 with at least one element; throws std::invalid_argument for other dtypes.
  Summary (*summarize)(const View& a);
};

#ifdef NEEDLE_ISA
namespace NEEDLE_ISA {
void unary(Unary op, const View& a, const View& out);
void binary(Binary op, const View& a, const View& b, const View& out);
void chain(const Chain& chain, const ChainInput* inputs, const View* const* outs);
void where(const View& condition, const View& a, const View& b, const View& out);
void copy(const View& a, const View& out);
void reduce(Reduction op, const View& a, const View& out);
void matmul(const View& a, const View& b, const View& out);
void matmul_rung(Rung rung, const View& a, const View& b, const View& out);
void logsumexp(const View& a, const View& out);
void softmax(const View& a, const View& out);
void logsoftmax(const View& a, const View& out);
void softmax_gradient(const View& s, const View& g, const View& out);
void logsoftmax_gradient(const View& y, const View& g, const View& out);
void softmax_loss(const View& z, const View& one_hot, const View& out);
void softmax_loss_gradient(const View& z, const View& one_hot, const View& g, const View& out);
void layer_norm(const View& x, const View& weight, const View& bias, double eps, const View& out);
void layer_norm_gradient(const View& x, const View& weight, const View& g, double eps,
                         const View& dx, const View& dweight, const View& dbias);
void batch_norm(const View& x, const View& weight, const View& bias, double eps, const View& out);
void batch_norm_gradient(const View& x, const View& weight, const View& g, double eps,
                         const View& dx, const View& dweight, const View& dbias);
void moments(const View& x, const View& mean, const View& var);
void sgd_plain(const View& w, const View& g, const SgdStep& step, const View& new_w);
void sgd(const View& w, const View& g, const View& u, const SgdStep& step, const View& new_w,
         const View& new_u);
void adam(const View& w, const View& g, const View& m, const View& v, const AdamStep& step,
          const View& new_w, const View& new_m, const View& new_v);
Summary summarize(const View& a);
}  // namespace NEEDLE_ISA
#endif

namespace baseline {
Kernels kernels();
}

// Whether a file of kernels is compiled for elements of type T in this instruction set. Integers
// gain little from wider vectors: the higher sets leave most of them to the baseline, which halves
// the time to compile and the size of the library.
#ifdef NEEDLE_IS_BASELINE
template <typename T>
constexpr bool kCompiledHere = true;
#else
template <typename T>
constexpr bool kCompiledHere = std::is_floating_point_v<T>;
#endif

#ifdef NEEDLE_X86
namespace avx2 {
Kernels kernels();
}
namespace avx512 {
Kernels kernels();
}
#endif

// The best table this processor can run, or the one that NEEDLE_ISA (environment variable) asks
// for. The first call chooses; it throws std::invalid_argument if NEEDLE_ISA cannot be had.
const Kernels& kernels();

// Kernels that gain nothing from wider vectors are compiled once.
void matmul_naive(const View& a, const View& b, const View& out);
void gather(const View& a, const View& indices, int axis, const View& out);
void scatter_add(const View& a, const View& indices, int axis, const View& out);
void set_one_hot(const View& indices, const View& out);

// By way of tiles, float32 and float64.
void matmul_tiled(const View& a, const View& b, const View& out);
// The product of two matrices that were cut into tiles beforehand: element (i, j, y, x) of an
// operand is row y, column x of the tile in tile-row i, tile-column j; all row-major. `m`, `n`
// and `p` count elements and are multiples of kTileSize: out (m, p) <- a (m, n) b (n, p).
constexpr int kTileSize = 8;
void matmul_tiled(const float* a, const float* b, float* out, std::int64_t m, std::int64_t n,
                  std::int64_t p);

}  // namespace needle
