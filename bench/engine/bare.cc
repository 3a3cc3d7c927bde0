// The same kernels without JavaScript, for the comparison: bare <data> <gear and key>.
//
// Each line of its input names a kernel; the answer is a line with the seconds of one pass over the data.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "../../native/delta.h"
#include "../../native/digest.h"
#include "../../native/gear.h"
#include "../../native/match.h"
#include "../../native/xxh64.h"

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kZeroRunBytes = 64;
constexpr size_t kPageBytes = 8192;
constexpr size_t kChangeBytes = 2048;  // one byte of so many

Bytes content_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// A later version: bytes that have changed, as many on each page.
Bytes changed(const Bytes& data) {
  Bytes later = data;
  for (size_t at = 4; at < later.size(); at += kChangeBytes) later[at] ^= 0x55;
  return later;
}

double seconds(const std::function<void()>& pass) {
  const auto begun = std::chrono::steady_clock::now();
  pass();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const Bytes data = content_of(arguments[1]);
  const Bytes settings = content_of(arguments[2]);
  longhaul::Gear gear;
  if (data.empty() || settings.size() != sizeof gear + longhaul::kKeyBytes) return 2;
  std::memcpy(&gear, settings.data(), sizeof gear);
  const uint8_t* const key = settings.data() + sizeof gear;

  std::vector<uint32_t> cuts(data.size() / gear.min_bytes + 1);
  std::vector<uint64_t> tags(cuts.size());
  auto* const tag_bytes = reinterpret_cast<uint8_t*>(tags.data());
  const size_t chunks = longhaul::digest_chunks(gear, key, data.data(), 0, data.size(), cuts.data(), cuts.size(),
                                                tag_bytes, longhaul::kTagBytes);
  std::vector<uint32_t> ranges;
  for (size_t index = 0; index < chunks; index++) {
    ranges.push_back(index == 0 ? 0 : cuts[index - 1]);
    ranges.push_back(cuts[index]);
  }
  const size_t half = data.size() / 2;
  Bytes difference(half);
  std::vector<uint32_t> runs(2 * (data.size() / kZeroRunBytes + 1));
  const Bytes later = changed(data);
  std::vector<uint32_t> matches(longhaul::kMatchFields * kPageBytes);
  const auto match = [&](const uint8_t* base, const uint8_t* target, size_t length) {
    for (size_t at = 0; at + kPageBytes <= length; at += kPageBytes) {
      longhaul::match_bytes(base + at, kPageBytes, target + at, kPageBytes, 0, matches.data(), kPageBytes);
    }
  };

  const std::map<std::string, std::function<void()>> kernels = {
      {"chunk",
       [&] {
         longhaul::GearState state = {0, 0};
         longhaul::cut_chunks(gear, &state, data.data(), 0, data.size(), cuts.data(), cuts.size());
       }},
      {"digest",
       [&] {
         longhaul::digest_ranges(key, data.data(), data.size(), ranges.data(), chunks, tag_bytes, longhaul::kTagBytes);
       }},
      {"chunk+digest",
       [&] {
         longhaul::digest_chunks(gear, key, data.data(), 0, data.size(), cuts.data(), cuts.size(), tag_bytes,
                                 longhaul::kTagBytes);
       }},
      {"checksum",
       [&] { longhaul::xxh64_ranges(data.data(), data.size(), ranges.data(), chunks, 0, tags.data()); }},
      {"xor", [&] { longhaul::xor_bytes(data.data(), data.data() + half, difference.data(), half); }},
      {"zeros",
       [&] { longhaul::zero_runs(data.data(), 0, data.size(), kZeroRunBytes, runs.data(), runs.size() / 2); }},
      {"match", [&] { match(data.data(), later.data(), data.size()); }},
      {"match unlike", [&] { match(data.data(), data.data() + half, half); }},
  };
  for (std::string name; std::getline(std::cin, name);) {
    const auto found = kernels.find(name);
    if (found == kernels.end()) return 2;
    std::printf("%.9f\n", seconds(found->second));
    std::fflush(stdout);
  }
  return 0;
}
