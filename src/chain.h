// A chain: elementwise steps, each of which may use the results of those before it.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace needle {

// Inputs and results of steps together, of one chain.
constexpr int kMostChainValues = 32;

// Values are numbered: first the inputs, then the result of each step.
struct Chain {
  struct Step {
    bool is_binary;
    Unary unary;    // if it is not
    Binary binary;  // if it is
    int a;
    int b;             // of a binary step
    int position = 0;  // where its result lies, among the registers
  };
  int inputs;
  std::vector<Step> steps;
  std::vector<int> outputs;  // the values that are written to memory
  int registers = 0;         // results that are needed at the same time
};

// Operands are read in row-major order; element i of a chain is element i % period of an input.
struct ChainInput {
  const void* data;
  std::int64_t period;  // 1 for one number, the size of the outputs for an operand like them
};

}  // namespace needle
