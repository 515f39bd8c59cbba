// What the operating system grants this process: cores and memory. Linux answers through files
// under /proc and /sys; elsewhere the standard library's answers must do.
#include "system.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace needle::system {

#ifdef __linux__
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

// The number in a one-line file; `fallback` if there is no such file or it says "max".
std::int64_t number_in(const std::string& path, std::int64_t fallback) {
  std::ifstream file(path);
  std::int64_t value;
  return file >> value ? value : fallback;
}

// The number after `key` in a file of lines "key value ...".
std::int64_t field_in(const std::string& path, const std::string& key, std::int64_t fallback) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string word;
    std::int64_t value;
    if (words >> word && word == key && words >> value) return value;
  }
  return fallback;
}

// This process's control group: its folder under the version 2 hierarchy (`controller` empty) or
// under that of a version 1 controller. Inside a container the named folder is often the root.
std::string control_group(const std::string& controller) {
  const std::string root = "/sys/fs/cgroup" + (controller.empty() ? "" : "/" + controller);
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers != "," + controller + "," &&
        (controller.empty() || controllers.find("," + controller + ",") == std::string::npos)) {
      continue;
    }
    const std::string folder = root + line.substr(second + 1);
    if (std::ifstream(folder + "/cgroup.procs")) return folder;
  }
  return root;
}

// What a control group still grants: its limit less what is used, page cache aside, which the
// kernel drops when it must.
std::int64_t left_in_group(const std::string& folder, const char* limit_file, const char* used_file,
                           const char* cache_key) {
  const std::int64_t limit = number_in(folder + "/" + limit_file, kUnlimited);
  if (limit == kUnlimited) return kUnlimited;
  const std::int64_t used = number_in(folder + "/" + used_file, 0);
  const std::int64_t cache = field_in(folder + "/memory.stat", cache_key, 0);
  return std::max<std::int64_t>(0, limit - std::max<std::int64_t>(0, used - cache));
}

// Cores' worth of time that the control group grants, infinite without a quota.
double core_quota() {
  std::ifstream file(control_group("") + "/cpu.max");
  double quota;
  double period;
  if (file >> quota >> period) return quota / period;
  const std::string folder = control_group("cpu");
  quota = static_cast<double>(number_in(folder + "/cpu.cfs_quota_us", -1));
  period = static_cast<double>(number_in(folder + "/cpu.cfs_period_us", 100000));
  return quota > 0 ? quota / period : std::numeric_limits<double>::infinity();
}

}  // namespace

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
  const double quota = std::ceil(core_quota());
  return std::max(1, quota < cores ? static_cast<int>(quota) : cores);
}

std::int64_t available_memory() {
  const std::int64_t kib = field_in("/proc/meminfo", "MemAvailable:", kUnlimited / 1024);
  const std::int64_t v2 =
      left_in_group(control_group(""), "memory.max", "memory.current", "inactive_file");
  const std::int64_t v1 = left_in_group(control_group("memory"), "memory.limit_in_bytes",
                                        "memory.usage_in_bytes", "total_inactive_file");
  return std::min({kib * 1024, v2, v1});
}

#else

int available_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::int64_t available_memory() { return std::numeric_limits<std::int64_t>::max(); }

#endif

}  // namespace needle::system
