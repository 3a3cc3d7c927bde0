// Drives a target where there is no libFuzzer, with the same arguments as far as they are here: no coverage steers it, so
// its inputs are noise and seeds with changes.
//
//   <program> -runs=N -seed=N -max_len=N -max_total_time=SECONDS -artifact_prefix=DIR/ SEED-DIRECTORY…
//   <program> FILE…          runs these once, as they are
//
// An input that ends the program is left in a file, whose name is the last line that it prints.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "input.h"

namespace {

namespace fs = std::filesystem;

struct Arguments {
  uint64_t runs = UINT64_MAX;
  uint64_t seed = 1;
  size_t length_max = 4096;
  double seconds = 1e9;
  std::string artifact_prefix = "./";
  std::vector<fs::path> files;
  std::vector<Bytes> seeds;
};

// For the handler of the signal, which may neither allocate nor wait.
Bytes current;
char artifact[4096];

void keep_current(int) {
  const int fd = open(artifact, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const bool kept = fd != -1 && write(fd, current.data(), current.size()) == static_cast<ssize_t>(current.size());
  const char* words = kept ? "Test unit written to " : "cannot write ";
  if (write(STDERR_FILENO, words, std::strlen(words)) < 0 || write(STDERR_FILENO, artifact, std::strlen(artifact)) < 0 ||
      write(STDERR_FILENO, "\n", 1) < 0) {
    _exit(2);
  }
  _exit(1);
}

Bytes read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void add_seeds(Arguments& arguments, const fs::path& directory) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) arguments.seeds.push_back(read_file(path));
}

Arguments arguments_of(int count, char** given) {
  Arguments arguments;
  for (int index = 1; index < count; index++) {
    const std::string word = given[index];
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (name == "-runs") arguments.runs = std::stoull(value);
    if (name == "-seed") arguments.seed = std::stoull(value);
    if (name == "-max_len") arguments.length_max = std::stoull(value);
    if (name == "-max_total_time") arguments.seconds = std::stod(value);
    if (name == "-artifact_prefix") arguments.artifact_prefix = value;
    if (word[0] == '-') continue;
    if (fs::is_directory(word)) {
      add_seeds(arguments, word);
    } else {
      arguments.files.push_back(word);
    }
  }
  return arguments;
}

void change(Noise& noise, Bytes& bytes) {
  const size_t at = noise.below(bytes.size() + 1);
  const auto place = bytes.begin() + static_cast<ptrdiff_t>(at);
  switch (noise.below(4)) {
    case 0:
      bytes.resize(at);
      break;
    case 1: {
      const Bytes more = noise.bytes(1 + noise.below(20));
      bytes.insert(place, more.begin(), more.end());
      break;
    }
    case 2:
      bytes.erase(place, place + static_cast<ptrdiff_t>(std::min(bytes.size() - at, 1 + noise.below(20))));
      break;
    default:
      if (at < bytes.size()) bytes[at] = static_cast<uint8_t>(noise.next());
  }
}

Bytes next_input(Noise& noise, const Arguments& arguments) {
  if (arguments.seeds.empty() || noise.one_in(3)) {
    return noise.bytes(noise.below(noise.one_in(2) ? 64 : arguments.length_max + 1));
  }
  Bytes bytes = arguments.seeds[noise.below(arguments.seeds.size())];
  for (size_t times = noise.below(6); times > 0; times--) change(noise, bytes);
  if (bytes.size() > arguments.length_max) bytes.resize(arguments.length_max);
  return bytes;
}

void run(Bytes input) {
  current = std::move(input);
  current.shrink_to_fit();
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

}  // namespace

// Whatever a sanitizer finds ends in the signal that `check` ends in.
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

int main(int count, char** given) {
  const Arguments arguments = arguments_of(count, given);
  const std::string path = arguments.artifact_prefix + "crash-" + std::to_string(arguments.seed);
  std::snprintf(artifact, sizeof artifact, "%s", path.c_str());
  if (arguments.files.empty()) std::signal(SIGABRT, keep_current);
  for (const fs::path& file : arguments.files) run(read_file(file));
  if (!arguments.files.empty()) return 0;

  const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> limit(arguments.seconds);
  Noise noise(arguments.seed);
  uint64_t runs = 0;
  for (; runs < arguments.runs && std::chrono::steady_clock::now() - start < limit; runs++) {
    run(runs < arguments.seeds.size() ? arguments.seeds[runs] : next_input(noise, arguments));
  }
  std::fprintf(stderr, "Done %llu runs\n", static_cast<unsigned long long>(runs));
  return 0;
}
