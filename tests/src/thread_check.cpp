// What the thread sanitizer watches: kernels and allocations from many threads at once, while the
// pool changes its size. Exits with 1 if a result is wrong; the sanitizer reports races itself.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "parallel.h"

using namespace needle;

namespace {

std::atomic<int> failures{0};

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "thread_check: %s\n", what);
  failures.fetch_add(1);
}

View matrix(std::int64_t rows, std::int64_t columns) {
  View view;
  view.array = std::make_shared<Array>(rows * columns, DType::kFloat32);
  view.ndim = 2;
  view.shape = {rows, columns};
  view.strides = {columns, 1};
  return view;
}

View transposed(View view) {
  std::swap(view.shape[0], view.shape[1]);
  std::swap(view.strides[0], view.strides[1]);
  return view;
}

// Element (i, j) of a test matrix: small integers, so that sums of products are exact.
float element(std::int64_t i, std::int64_t j) { return static_cast<float>((i * 7 + j * 3) % 11); }

View filled(std::int64_t rows, std::int64_t columns) {
  View view = matrix(rows, columns);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) view.data<float>()[i * columns + j] = element(i, j);
  }
  return view;
}

// Large enough that every kernel is cut into chunks for the pool.
void run_kernels() {
  constexpr std::int64_t n = 300;
  const View a = filled(n, n);
  const View out = matrix(n, n);
  kernels().copy(transposed(a), out);
  expect(out.data<float>()[5 * n + 9] == element(9, 5), "copy of a transposed matrix");
  kernels().binary(Binary::kAdd, a, transposed(a), out);
  expect(out.data<float>()[n + 2] == element(1, 2) + element(2, 1),
         "sum of a matrix and its transpose");
  kernels().unary(Unary::kNeg, a, out);
  expect(out.data<float>()[n * n - 1] == -element(n - 1, n - 1), "negation");

  const View column = matrix(n, 1);
  kernels().reduce(Reduction::kSum, a, column);
  float sum = 0;
  for (std::int64_t j = 0; j < n; ++j) sum += element(4, j);
  expect(column.data<float>()[4] == sum, "sum of a row");

  kernels().matmul(a, transposed(a), out);
  float product = 0;
  for (std::int64_t k = 0; k < n; ++k) product += element(3, k) * element(8, k);
  expect(out.data<float>()[3 * n + 8] == product, "matrix product");
}

// Every chunk is done once; the thread that calls takes them from the first on, workers from the
// last.
void share_chunks() {
  constexpr std::int64_t n = 1000;
  std::vector<int> times(n), by_caller(n);
  const std::thread::id caller = std::this_thread::get_id();
  parallel_for(n, [&](std::int64_t chunk) {
    ++times[chunk];
    by_caller[chunk] = std::this_thread::get_id() == caller;
  });
  expect(times == std::vector<int>(n, 1), "every chunk is done once");
  expect(std::is_sorted(by_caller.rbegin(), by_caller.rend()), "each thread keeps to its end");
}

// An exception in a chunk, on whichever thread, reaches the thread that called.
void throw_in_a_chunk() {
  bool caught = false;
  try {
    parallel_for(1000, [](std::int64_t chunk) {
      if (chunk == 500) throw std::bad_alloc();
    });
  } catch (const std::bad_alloc&) {
    caught = true;
  }
  expect(caught, "an exception reaches the caller");
}

void allocate_and_release() {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::unique_ptr<Array>> arrays;
    for (std::int64_t size = 1; size < 100000; size *= 7) {
      arrays.push_back(std::make_unique<Array>(size, DType::kFloat32));
      arrays.back()->data<float>()[0] = 1;
    }
    if (round % 50 == 0) memory::empty_cache();
  }
}

void resize_pool(const std::atomic<bool>& stop) {
  for (int n = 1; !stop.load(); n = n % 4 + 1) {
    set_num_threads(n);
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

}  // namespace

int main() {
  set_num_threads(4);
  for (int round = 0; round < 50; ++round) {
    run_kernels();
    share_chunks();
    throw_in_a_chunk();
  }

  std::atomic<bool> stop{false};
  std::thread resizer([&] { resize_pool(stop); });
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 50; ++round) run_kernels();
    });
  }
  threads.emplace_back(allocate_and_release);
  threads.emplace_back(allocate_and_release);
  for (std::thread& thread : threads) thread.join();
  stop.store(true);
  resizer.join();
  set_num_threads(1);
  expect(memory::statistics().in_use == 0, "all buffers are released");
  std::printf("thread_check: %d failures on %s\n", failures.load(), kernels().isa);
  return failures.load() != 0;
}
