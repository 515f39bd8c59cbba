// How many floating point operations a second the cores can do: nothing but multiply-adds on
// registers.
//
// Twelve independent sums keep two units of four cycles' latency busy. Built where it runs, for the
// processor there:
//   c++ -O3 -march=native -ffp-contract=fast -pthread fma_peak.cpp && ./a.out THREADS
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

typedef float Vector __attribute__((vector_size(kBytes)));
constexpr int kSums = 12;
constexpr int kLanes = kBytes / sizeof(float);
constexpr long kSteps = 20'000'000;

// The factors come from outside, so that the compiler cannot foresee the sums.
static float multiply_add(float factor, float term) {
  Vector x = Vector{} + factor, y = Vector{} + term, sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = y * static_cast<float>(i);
  for (long step = 0; step < kSteps; ++step) {
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * x + y;
  }
  float total = 0;
  for (const Vector& sum : sums) {
    for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
  }
  return total;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::vector<float> results(threads);
    std::vector<std::thread> pool;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < threads; ++i) {
      pool.emplace_back([&results, i] { results[i] = multiply_add(0.999f, 0.001f * (i + 1)); });
    }
    for (std::thread& thread : pool) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const double operations = 2.0 * kLanes * kSums * kSteps * threads / took.count();
    if (results[0] != 0 && operations > best) best = operations;
  }
  std::printf("%.6e\n", best);
}
