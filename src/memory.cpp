// The caching allocator: blocks in size classes, a list of free blocks for each class.
//
// There are eight classes to a power of two, so at most an eighth of a block is unused. A free
// block holds the pointer to the next one in its first bytes. Everything is behind one mutex, which
// nobody holds for longer than a system call.
#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>

#include "system.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace needle::memory {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr int kClasses = 8 * 64;
// Free blocks beyond this total go back to the system at once.
constexpr std::int64_t kMaxCached = std::int64_t{1} << 30;
// The system is asked how much memory there is each time so much more has been taken from it: often
// enough to notice in time, seldom enough not to be felt.
constexpr std::int64_t kCheckEvery = std::int64_t{256} << 20;

// Under the address sanitizer nothing is cached and nothing rounded up, or it would not notice a
// read past the end or after the release.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCaching = false;
#else
constexpr bool kCaching = true;
#endif

struct SizeClass {
  int index;
  std::size_t bytes;
};

// The smallest class that holds `bytes`: multiples of 64 up to 1 KiB, then eight steps to each
// power of two.
SizeClass size_class(std::size_t bytes) {
  if (bytes <= 16 * kAlignment) {
    const std::size_t units = std::max<std::size_t>(1, (bytes + kAlignment - 1) / kAlignment);
    return {static_cast<int>(units), units * kAlignment};
  }
  const int log2 = 63 - __builtin_clzll(bytes - 1);  // 2^log2 < bytes <= 2^(log2 + 1)
  const std::size_t step = std::size_t{1} << (log2 - 3);
  const std::size_t steps = (bytes + step - 1) >> (log2 - 3);  // 9 .. 16
  return {(log2 - 8) * 8 + static_cast<int>(steps) - 8, steps * step};
}

struct FreeBlock {
  FreeBlock* next;
};

struct Allocator {
  std::mutex mutex;
  FreeBlock* free[kClasses] = {};
  Statistics statistics = {};
  std::int64_t taken_since_check = 0;
};

// Never destroyed: buffers may be released while the process ends.
Allocator& allocator() {
  static Allocator* const instance = [] {
    auto* made = new Allocator;
#if defined(__unix__) || defined(__APPLE__)
    // A child of fork inherits the mutex as it is; it must not inherit it locked by a thread that
    // it does not have.
    pthread_atfork([] { allocator().mutex.lock(); }, [] { allocator().mutex.unlock(); },
                   [] { allocator().mutex.unlock(); });
#endif
    return made;
  }();
  return *instance;
}

void* take_from_system(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  void* block = nullptr;
  if (posix_memalign(&block, alignment, std::max<std::size_t>(bytes, 1)) != 0) return nullptr;
#ifdef __linux__
  if (bytes >= kHugePage) madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return block;
}

void give_back_cached(Allocator& a) {
  for (int index = 0; index < kClasses; ++index) {
    while (FreeBlock* block = a.free[index]) {
      a.free[index] = block->next;
      std::free(block);
    }
  }
  a.statistics.held = a.statistics.in_use;
}

// Whether the system has `bytes` more. Systems promise more memory than they have and kill the
// process that believes them, so large requests look first.
bool system_has(Allocator& a, std::int64_t bytes) {
  a.taken_since_check += bytes;
  if (a.taken_since_check < kCheckEvery) return true;
  a.taken_since_check = 0;
  if (bytes <= system::available_memory()) return true;
  give_back_cached(a);
  return bytes <= system::available_memory();
}

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()) / 2) {
    throw std::bad_alloc();
  }
  const SizeClass size = size_class(bytes);
  Allocator& a = allocator();
  const std::lock_guard<std::mutex> lock(a.mutex);
  void* block = a.free[size.index];
  if (block) {
    a.free[size.index] = a.free[size.index]->next;
  } else {
    const auto wanted = static_cast<std::int64_t>(size.bytes);
    if (!system_has(a, wanted)) throw std::bad_alloc();
    block = take_from_system(kCaching ? size.bytes : bytes);
    if (!block) {
      give_back_cached(a);
      block = take_from_system(kCaching ? size.bytes : bytes);
      if (!block) throw std::bad_alloc();
    }
    a.statistics.held += wanted;
  }
  a.statistics.in_use += static_cast<std::int64_t>(size.bytes);
  a.statistics.peak = std::max(a.statistics.peak, a.statistics.in_use);
  ++a.statistics.allocations;
  return block;
}

void release(void* block, std::size_t bytes) noexcept {
  if (!block) return;
  const SizeClass size = size_class(bytes);
  const auto freed = static_cast<std::int64_t>(size.bytes);
  Allocator& a = allocator();
  const std::lock_guard<std::mutex> lock(a.mutex);
  a.statistics.in_use -= freed;
  if (!kCaching || a.statistics.held - a.statistics.in_use > kMaxCached) {
    a.statistics.held -= freed;
    std::free(block);
    return;
  }
  auto* cached = static_cast<FreeBlock*>(block);
  cached->next = a.free[size.index];
  a.free[size.index] = cached;
}

Statistics statistics() {
  Allocator& a = allocator();
  const std::lock_guard<std::mutex> lock(a.mutex);
  return a.statistics;
}

void reset_peak() {
  Allocator& a = allocator();
  const std::lock_guard<std::mutex> lock(a.mutex);
  a.statistics.peak = a.statistics.in_use;
}

void empty_cache() {
  Allocator& a = allocator();
  const std::lock_guard<std::mutex> lock(a.mutex);
  give_back_cached(a);
#ifdef __GLIBC__
  malloc_trim(0);  // a block that lay on the heap would stay with the process
#endif
}

}  // namespace needle::memory
