// One instruction set's table of kernels; compiled once for each set, as the kernels themselves.
#include "kernels.h"

#define NEEDLE_STRING(name) #name
#define NEEDLE_NAME_OF(macro) NEEDLE_STRING(macro)

namespace needle::NEEDLE_ISA {

Kernels kernels() {
  return {NEEDLE_NAME_OF(NEEDLE_ISA),
          unary,
          binary,
          chain,
          where,
          copy,
          reduce,
          matmul,
          matmul_rung,
          logsumexp,
          softmax,
          logsoftmax,
          softmax_gradient,
          logsoftmax_gradient,
          softmax_loss,
          softmax_loss_gradient,
          layer_norm,
          layer_norm_gradient,
          batch_norm,
          batch_norm_gradient,
          moments,
          sgd_plain,
          sgd,
          adam,
          summarize};
}

}  // namespace needle::NEEDLE_ISA
