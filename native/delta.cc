#include "delta.h"

#include <cstring>

namespace longhaul {
namespace {

constexpr size_t kWord = sizeof(uint64_t);
constexpr size_t kBlock = 8 * kWord;

uint64_t word_at(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

bool all_zero(const uint8_t* bytes) {
  uint64_t any = 0;
  for (size_t at = 0; at < kBlock; at += kWord) any |= word_at(bytes + at);
  return any == 0;
}

// Where the run of zeros that goes up to `end` begins, at the earliest at `start`.
size_t zeros_before(const uint8_t* bytes, size_t start, size_t end) {
  while (end - start >= kWord && word_at(bytes + end - kWord) == 0) end -= kWord;
  while (end > start && bytes[end - 1] == 0) end--;
  return end;
}

}  // namespace

void xor_bytes(const uint8_t* a, const uint8_t* b, uint8_t* into, size_t length) {
  for (size_t at = 0; at < length; at++) into[at] = a[at] ^ b[at];
}

size_t first_non_zero(const uint8_t* bytes, size_t start, size_t end) {
  size_t at = start;
  while (end - at >= kBlock && all_zero(bytes + at)) at += kBlock;
  while (end - at >= kWord && word_at(bytes + at) == 0) at += kWord;
  while (at < end && bytes[at] == 0) at++;
  return at;
}

// A run of `min_bytes` covers every min_bytes-th place, so only there does it have to be looked for.
size_t zero_runs(const uint8_t* bytes, size_t start, size_t end, size_t min_bytes, uint32_t* runs, size_t runs_max) {
  size_t count = 0;
  size_t clear = start;  // no run that is still to be found begins before
  while (count < runs_max && end - clear >= min_bytes) {
    const size_t probe = clear + min_bytes - 1;
    const size_t from = zeros_before(bytes, clear, probe + 1);
    if (from > clear) {
      clear = from;
      continue;
    }
    const size_t to = first_non_zero(bytes, probe + 1, end);
    runs[2 * count] = static_cast<uint32_t>(clear);
    runs[2 * count + 1] = static_cast<uint32_t>(to);
    count++;
    clear = to;
  }
  return count;
}

}  // namespace longhaul
