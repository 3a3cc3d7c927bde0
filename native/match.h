// What one stretch of memory holds of another.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longhaul {

constexpr size_t kMatchFields = 3;  // start in the target, start in the base, length

// Finds stretches of target[start, target_length) that the base holds, writes them into `matches`, kMatchFields each, in
// the order of the target and without overlap, at most `matches_max`, and returns how many there are. Both lengths fit
// into 32 bits. Takes time in proportion to the two lengths, whatever they hold, and up to 2 MiB of memory.
size_t match_bytes(const uint8_t* base, size_t base_length, const uint8_t* target, size_t target_length, size_t start,
                   uint32_t* matches, size_t matches_max);

}  // namespace longhaul
