// What the operating system grants this process: cores and memory.
#pragma once

#include <cstdint>

namespace needle::system {

// The cores this process may use, at least 1: its affinity mask and its container's quota count.
int available_cores();

// Bytes that could still be allocated without swapping or being killed, as far as the system says;
// the largest std::int64_t where it does not say.
std::int64_t available_memory();

}  // namespace needle::system
