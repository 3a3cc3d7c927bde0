#include "sketch.h"

#include <algorithm>

namespace longhaul {
namespace {

constexpr uint32_t kSampleLimit = uint32_t{1} << 26;
// Where in the table the addends of the functions begin; their factors are at its start.
constexpr size_t kAddends = 128;

}  // namespace

size_t sketch(const Gear& gear, const uint8_t* bytes, size_t start, size_t end, uint32_t features[kFeatures]) {
  std::fill_n(features, kFeatures, 0);
  if (end - start < kGearWindow) return 0;
  const uint32_t* const table = gear.table;
  uint32_t hash = 0;
  size_t at = start;
  for (; at < start + kGearWindow - 1; at++) hash = (hash << 1) + table[bytes[at]];
  size_t samples = 0;
  for (; at < end; at++) {
    hash = (hash << 1) + table[bytes[at]];
    if (hash >= kSampleLimit) continue;
    samples++;
    for (size_t index = 0; index < kFeatures; index++) {
      features[index] = std::max(features[index], hash * (table[index] | 1) + table[kAddends + index]);
    }
  }
  return samples;
}

}  // namespace longhaul
