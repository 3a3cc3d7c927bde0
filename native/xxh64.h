// XXH64 from the upstream header, compiled into whoever includes this.
#pragma once

#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include "xxhash.h"

namespace longhaul {

inline uint64_t xxh64(const void* bytes, size_t length, uint64_t seed) { return XXH64(bytes, length, seed); }

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
