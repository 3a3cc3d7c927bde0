// Differences between equal stretches of memory, and stretches of zeros, which such a difference is full of.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longhaul {

// into[i] = a[i] ^ b[i]. `into` may be `a` or `b`.
void xor_bytes(const uint8_t* a, const uint8_t* b, uint8_t* into, size_t length);

// Where in bytes[start, end) the first byte lies that is not zero; `end` when all are.
size_t first_non_zero(const uint8_t* bytes, size_t start, size_t end);

// Writes start and end of each run of at least `min_bytes` zeros (from 1 on) into `runs`, in order, at most `runs_max`
// runs, and returns how many there are.
size_t zero_runs(const uint8_t* bytes, size_t start, size_t end, size_t min_bytes, uint32_t* runs, size_t runs_max);

}  // namespace longhaul
