// One thread pool for all kernels: how work is cut, never what is computed.
//
// A kernel cuts its work into chunks by the size of the work alone, so the result does not depend
// on the number of threads; the pool only decides which thread runs which chunk.
#pragma once

#include <cstdint>

namespace needle {

int num_threads();
void set_num_threads(int n);  // n >= 1; throws std::invalid_argument

namespace detail {
using ChunkFunction = void (*)(void* context, std::int64_t chunk);
void run_chunks(std::int64_t chunks, ChunkFunction function, void* context);
}  // namespace detail

// Calls body(chunk) once for every chunk in 0 .. chunks - 1, on all threads of the pool and the
// caller's, in no particular order, and returns when all are done. With one chunk, one thread, or
// when called from inside another parallel_for, it is a plain loop. If `body` throws, chunks that
// nobody has begun are left out, and the exception is thrown here.
template <typename Body>
void parallel_for(std::int64_t chunks, Body&& body) {
  if (chunks <= 1) {
    if (chunks == 1) body(std::int64_t{0});
    return;
  }
  detail::run_chunks(
      chunks, [](void* context, std::int64_t chunk) { (*static_cast<Body*>(context))(chunk); },
      &body);
}

}  // namespace needle
