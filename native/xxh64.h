// XXH64 from the upstream header, compiled into whoever includes this.
#pragma once

#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include "xxhash.h"

namespace longhaul {

inline uint64_t xxh64(const void* bytes, size_t length, uint64_t seed) { return XXH64(bytes, length, seed); }

// The checksum of bytes that come in pieces.
class Xxh64 {
 public:
  explicit Xxh64(uint64_t seed) { XXH64_reset(&state_, seed); }
  void update(const void* bytes, size_t length) { XXH64_update(&state_, bytes, length); }
  uint64_t digest() const { return XXH64_digest(&state_); }

 private:
  XXH64_state_t state_;
};

// The checksums of `count` ranges, each a start and an end in `ranges`, into `sums`. False when one does not lie within
// bytes[0, length); it ends there.
inline bool xxh64_ranges(const uint8_t* bytes, size_t length, const uint32_t* ranges, size_t count, uint64_t seed,
                         uint64_t* sums) {
  for (size_t index = 0; index < count; index++) {
    const uint32_t from = ranges[2 * index];
    const uint32_t to = ranges[2 * index + 1];
    if (from > to || to > length) return false;
    sums[index] = xxh64(bytes + from, to - from, seed);
  }
  return true;
}

}  // namespace longhaul
