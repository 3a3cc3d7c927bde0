#include "sketch.h"

#include <algorithm>

namespace longhaul {
namespace {

constexpr uint32_t kSampleLimit = uint32_t{1} << 26;
// Where in the table the addends of the functions begin; their factors are at its start.
constexpr size_t kAddends = 128;
// Bytes at a time, whose samples are set aside: what is done with one takes longer than finding it.
constexpr size_t kPieceBytes = 3 * 1024;

// A hash is written in any case, and stays when it is a sample: at one byte of 64 no guess which it is would hold.
inline size_t put(uint32_t* found, size_t count, uint32_t hash) {
  found[count] = hash;
  return count + (hash < kSampleLimit);
}

// Hashes of the positions from `at` on that are sampled, in three stretches at once: each hash waits for the one before.
size_t sample(const uint32_t* table, const uint8_t* at, size_t length, uint32_t* found) {
  const size_t stretch = length / 3;
  uint32_t a = gear_before(table, at);
  uint32_t b = gear_before(table, at + stretch);
  uint32_t c = gear_before(table, at + 2 * stretch);
  size_t count = 0;
  for (const uint8_t* const end = at + stretch; at < end; at++) {
    a = (a << 1) + table[at[0]];
    count = put(found, count, a);
    b = (b << 1) + table[at[stretch]];
    count = put(found, count, b);
    c = (c << 1) + table[at[2 * stretch]];
    count = put(found, count, c);
  }
  for (size_t rest = 0; rest < length % 3; rest++) {
    c = (c << 1) + table[at[2 * stretch + rest]];
    count = put(found, count, c);
  }
  return count;
}

}  // namespace

size_t sketch(const Gear& gear, const uint8_t* bytes, size_t start, size_t end, uint32_t features[kFeatures]) {
  std::fill_n(features, kFeatures, 0);
  if (end - start < kGearWindow) return 0;
  const uint32_t* const table = gear.table;
  uint32_t found[kPieceBytes + 1];
  size_t samples = 0;
  for (size_t at = start + kGearWindow - 1; at < end;) {
    const size_t length = std::min(end - at, kPieceBytes);
    const size_t count = sample(table, bytes + at, length, found);
    for (size_t index = 0; index < kFeatures; index++) {
      const uint32_t factor = table[index] | 1;
      const uint32_t addend = table[kAddends + index];
      uint32_t largest = features[index];
      for (size_t each = 0; each < count; each++) largest = std::max(largest, found[each] * factor + addend);
      features[index] = largest;
    }
    samples += count;
    at += length;
  }
  return samples;
}

}  // namespace longhaul
