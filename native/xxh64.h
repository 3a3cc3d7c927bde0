// XXH64 from the upstream header, compiled into whoever includes this.
#pragma once

#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include "xxhash.h"

namespace longhaul {

inline uint64_t xxh64(const void* bytes, size_t length, uint64_t seed) { return XXH64(bytes, length, seed); }

}  // namespace longhaul
