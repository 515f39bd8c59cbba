// The caching allocator: buffers that are freed are kept for the next one of their size.
//
// A training step makes and frees the same buffers again and again. Asking the system for each
// would cost more than many a kernel: a system call, and a page fault for every 4 KiB touched.
#pragma once

#include <cstddef>
#include <cstdint>

namespace needle::memory {

// A block of at least `bytes`, aligned to 64 bytes. Throws std::bad_alloc if there is not that much
// memory, after everything cached was given back to the system.
void* allocate(std::size_t bytes);

// Takes back a block that allocate(bytes) gave. Any thread may release it.
void release(void* block, std::size_t bytes) noexcept;

struct Statistics {
  std::int64_t held;         // bytes taken from the system: in use, or cached
  std::int64_t in_use;       // bytes of the blocks given out
  std::int64_t peak;         // largest in_use since the start or the last reset_peak()
  std::int64_t allocations;  // calls of allocate so far
};
Statistics statistics();
void reset_peak();

// Gives all cached blocks back to the system.
void empty_cache();

}  // namespace needle::memory
