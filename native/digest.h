// Keyed BLAKE3 (O'Connor et al., 2020; upstream's C and assembly), cut to as many bytes as asked for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gear.h"

namespace longhaul {

constexpr size_t kKeyBytes = 32;
constexpr size_t kTagBytes = 8;
constexpr size_t kDigestBytes = 16;

// Writes the first `out_bytes` of the digest of bytes[0, length).
void digest(const uint8_t key[kKeyBytes], const uint8_t* bytes, size_t length, uint8_t* out, size_t out_bytes);

// The digests of `count` ranges, each a start and an end in `ranges`, one after the other into `out`. False when one
// does not lie within bytes[0, length); it ends there.
bool digest_ranges(const uint8_t key[kKeyBytes], const uint8_t* bytes, size_t length, const uint32_t* ranges,
                   size_t count, uint8_t* out, size_t out_bytes);

// Cuts bytes[start, end) into chunks, which begin at `start`, and digests each while it is still in the cache. What is
// left at `end` is the last chunk; where that begins before `head`, which lies before `end`, the digest of as much of it
// goes behind the others. Returns how many chunks there are; when that is `cuts_max` it went as far as the last cut.
size_t digest_chunks(const Gear& gear, const uint8_t key[kKeyBytes], const uint8_t* bytes, size_t start, size_t end,
                     size_t head, uint32_t* cuts, size_t cuts_max, uint8_t* out, size_t out_bytes);

}  // namespace longhaul
