// The thread pool: workers that watch for a job for a moment, then sleep until one comes.
//
// One job runs at a time. The thread that brings it works on it too, and never waits for a worker
// that has not begun: waking a sleeper takes longer than many a kernel. It takes chunks from the
// first on, workers from the last on: so what one kernel leaves in the cache of a core is mostly
// what the next one needs there. A thread that finds the pool busy runs its own job alone.
#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "system.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace needle {
namespace {

using std::int64_t;
using std::uint64_t;

constexpr int kMaxThreads = 1024;
// How long an idle worker watches before it sleeps: longer than the pauses between the kernels of a
// training step and between two steps (a batch is gathered, a loss is read), for waking it takes
// tens of microseconds; and short enough to leave the core to others soon.
constexpr auto kWatch = std::chrono::microseconds(300);

// Whether this thread is inside a job; a job within a job runs on one thread.
thread_local bool in_job = false;

// Tells the processor that this is a waiting loop.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void run_alone(int64_t chunks, detail::ChunkFunction function, void* context) {
  for (int64_t chunk = 0; chunk < chunks; ++chunk) function(context, chunk);
}

class Pool {
 public:
  // Throws std::system_error when the system has not that many threads to give.
  explicit Pool(int workers) {
    try {
      for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Pool() { stop(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(int64_t chunks, detail::ChunkFunction function, void* context) {
    function_ = function;
    context_ = context;
    chunks_ = chunks;
    taken_.store(0, std::memory_order_relaxed);
    taken_from_end_.store(0, std::memory_order_relaxed);
    open_.store(true);
    jobs_.fetch_add(1);
    wake(std::min<int64_t>(chunks - 1, static_cast<int64_t>(threads_.size())));
    take_chunks([front = int64_t{0}]() mutable { return front++; });
    // Closed first, counted second; a worker enters first and looks whether it is closed second. So
    // either it stays out, or it is waited for.
    open_.store(false);
    for (int spins = 0; inside_.load() != 0; ++spins) {
      if (spins < 2000) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  // Runs chunks, one of those that nobody has taken at a time, as long as there are any. An
  // exception ends the job: it is kept, and nobody takes another chunk.
  template <typename Next>
  void take_chunks(Next next) {
    in_job = true;
    try {
      while (taken_.fetch_add(1, std::memory_order_relaxed) < chunks_) function_(context_, next());
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      error_ = std::current_exception();
      taken_.store(chunks_, std::memory_order_relaxed);
    }
    in_job = false;
  }
  int64_t next_from_end() {
    return chunks_ - 1 - taken_from_end_.fetch_add(1, std::memory_order_relaxed);
  }

  // Wakes up to `wanted` sleepers. One that is about to sleep either was counted here, and then
  // holds the mutex until it waits, or sees the new job before it sleeps.
  void wake(int64_t wanted) {
    if (sleepers_.load() == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (int64_t i = std::min<int64_t>(wanted, sleepers_.load()); i > 0; --i) wakeup_.notify_one();
  }

  void work() {
    uint64_t seen = 0;
    while (true) {
      seen = wait_for_job(seen);
      if (stopping_.load()) return;
      inside_.fetch_add(1);
      if (open_.load()) take_chunks([this] { return next_from_end(); });
      inside_.fetch_sub(1);
    }
  }

  // Waits until there was a job after number `seen`; the number of the last one.
  uint64_t wait_for_job(uint64_t seen) {
    const auto deadline = std::chrono::steady_clock::now() + kWatch;
    do {
      for (int i = 0; i < 64; ++i) {
        if (const uint64_t last = jobs_.load(); last != seen) return last;
        relax();
      }
    } while (std::chrono::steady_clock::now() < deadline);
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    wakeup_.wait(lock, [&] { return jobs_.load() != seen; });
    sleepers_.fetch_sub(1);
    return jobs_.load();
  }

  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_.store(true);
      jobs_.fetch_add(1);
    }
    wakeup_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // The job. Written only while no worker is inside.
  detail::ChunkFunction function_ = nullptr;
  void* context_ = nullptr;
  int64_t chunks_ = 0;
  std::exception_ptr error_;
  alignas(64) std::atomic<int64_t> taken_{0};  // chunks
  std::atomic<int64_t> taken_from_end_{0};     // those of them that workers have
  alignas(64) std::atomic<uint64_t> jobs_{0};  // how many there were: what idle workers watch
  std::atomic<bool> open_{false};              // whether workers may enter
  alignas(64) std::atomic<int> inside_{0};     // workers that have entered

  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

int threads_at_start() {
  const char* text = std::getenv("NEEDLE_NUM_THREADS");
  if (!text || !*text) return std::min(system::available_cores(), kMaxThreads);
  char* end = nullptr;
  const long wanted = std::strtol(text, &end, 10);
  if (*end != '\0' || wanted < 1 || wanted > kMaxThreads) {
    throw std::invalid_argument("NEEDLE_NUM_THREADS is '" + std::string(text) +
                                "'; it must be a whole number from 1 to " +
                                std::to_string(kMaxThreads));
  }
  return static_cast<int>(wanted);
}

// The pool and who may use it.
struct Owner {
  std::mutex busy;  // held by the thread whose job the pool runs
  std::atomic<int> threads;
  Pool* pool = nullptr;  // made by the first job that needs it

  explicit Owner(int n) : threads(n) {}

  void replace(int n) {
    delete pool;
    pool = nullptr;
    threads.store(n);
  }
};

Owner* current = nullptr;

// Never destroyed: while the process ends, other threads may still be inside a kernel, and workers
// that sleep need no goodbye.
Owner& owner() {
  static Owner* const first = [] {
    current = new Owner(threads_at_start());
#if defined(__unix__) || defined(__APPLE__)
    // A child of fork has no workers, and locks in whatever state they were. It starts afresh and
    // leaves the old pool where it lies.
    pthread_atfork(nullptr, nullptr, [] { current = new Owner(current->threads.load()); });
#endif
    return current;
  }();
  static_cast<void>(first);
  return *current;
}

}  // namespace

int num_threads() { return owner().threads.load(); }

void set_num_threads(int n) {
  if (n < 1 || n > kMaxThreads) {
    throw std::invalid_argument("the number of threads must be from 1 to " +
                                std::to_string(kMaxThreads) + ", not " + std::to_string(n));
  }
  Owner& o = owner();
  const std::lock_guard<std::mutex> lock(o.busy);
  if (n != o.threads.load()) o.replace(n);
}

void detail::run_chunks(int64_t chunks, ChunkFunction function, void* context) {
  Owner& o = owner();
  std::unique_lock<std::mutex> lock(o.busy, std::defer_lock);
  if (in_job || o.threads.load() == 1 || !lock.try_lock()) {
    run_alone(chunks, function, context);
    return;
  }
  if (!o.pool) {
    try {
      o.pool = new Pool(o.threads.load() - 1);
    } catch (const std::system_error&) {  // no thread to be had: the work is done all the same
      run_alone(chunks, function, context);
      return;
    }
  }
  o.pool->run(chunks, function, context);
}

}  // namespace needle
