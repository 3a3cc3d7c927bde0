// Features by which content that resembles other content is found: N-transform super-features (Shilane et al., WAN
// Optimized Replication of Backup Datasets Using Stream-Informed Delta Compression, FAST 2012) over hashes that are
// sampled by their value (Zou et al., Odess, ICDE 2021).
//
// Of the hashes of the Gear of all whole windows, one in 64 is a sample. Each feature is the largest that one linear
// function makes of a sample; the functions come from the table, so that features are secret as chunks are. Two contents
// share a feature about as often as they share samples.
//
// The portable twin is src/engine/portable-sketch.ts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gear.h"

namespace longhaul {

constexpr size_t kFeatures = 12;

// Writes the features of bytes[start, end), zeros when there is no sample, and returns how many samples there are.
size_t sketch(const Gear& gear, const uint8_t* bytes, size_t start, size_t end, uint32_t features[kFeatures]);

}  // namespace longhaul
