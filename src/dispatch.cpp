// Chooses the instruction set: the only file that asks the processor what it can do.
#include <cstdlib>
#include <string>

#include "kernels.h"

namespace needle {
namespace {

struct InstructionSet {
  const char* name;
  bool supported;
  Kernels (*kernels)();
};

Kernels choose() {
#ifdef NEEDLE_X86
  // What the compiler was allowed to use for each set (CMakeLists.txt), the highest set first.
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  const InstructionSet sets[] = {{"avx512", has_avx512, avx512::kernels},
                                 {"avx2", has_avx2, avx2::kernels},
                                 {"baseline", true, baseline::kernels}};
#else
  const InstructionSet sets[] = {{"baseline", true, baseline::kernels}};
#endif
  const char* wanted = std::getenv("NEEDLE_ISA");
  std::string supported;
  for (const InstructionSet& set : sets) {
    if (!set.supported) continue;
    if (!wanted || !*wanted || std::string(wanted) == set.name) return set.kernels();
    supported += (supported.empty() ? "" : ", ") + std::string(set.name);
  }
  throw std::invalid_argument("NEEDLE_ISA is '" + std::string(wanted) +
                              "'; this processor and this build have: " + supported);
}

}  // namespace

const Kernels& kernels() {
  static const Kernels chosen = choose();
  return chosen;
}

}  // namespace needle
