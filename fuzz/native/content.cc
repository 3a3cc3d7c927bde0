#include "content.h"

#include <algorithm>
#include <cstring>

#include "../../native/delta.h"
#include "../../native/digest.h"
#include "../../native/gear.h"
#include "../../native/xxh64.h"

namespace {

using longhaul::Gear;
using longhaul::GearState;
using Offsets = std::vector<uint32_t>;

constexpr size_t kTag = longhaul::kTagBytes;

// Lengths around a piece that is scanned at once are met as often as short ones.
Bytes mixed(Random& random) {
  const size_t lengths[] = {0, 40, 700, 9000, 196'500, 400'000};
  Bytes bytes = random.bytes(random.below(lengths[random.below(6)] + 200));
  if (random.below(3) == 0) std::fill_n(bytes.begin(), random.below(bytes.size() + 1), uint8_t{0});
  return bytes;
}

Gear random_gear(Random& random) {
  Gear gear;
  gear.min_bytes = static_cast<uint32_t>(longhaul::kGearWindow + random.below(random.below(2) == 0 ? 2 : 3000));
  gear.max_bytes = static_cast<uint32_t>(gear.min_bytes + random.below(random.below(2) == 0 ? 2 : 300'000));
  gear.limit = static_cast<uint32_t>(random.below(size_t{1} << (20 + random.below(12))));
  if (random.below(8) == 0) gear.limit = ~uint32_t{0};
  for (uint32_t& entry : gear.table) entry = static_cast<uint32_t>(random.below(uint64_t{1} << 32));
  return gear;
}

// Chunks by the definition, one hash at a time.
Offsets cuts_by_definition(const Gear& gear, const Bytes& bytes) {
  Offsets cuts;
  uint32_t hash = 0;
  size_t open = 0;
  for (size_t at = 0; at < bytes.size(); at++) {
    hash = 2 * hash + gear.table[bytes[at]];
    const size_t length = at + 1 - open;
    if (length == gear.max_bytes || (length >= gear.min_bytes && hash < gear.limit)) {
      open = at + 1;
      cuts.push_back(static_cast<uint32_t>(open));
    }
  }
  return cuts;
}

// The bytes in pieces, each in memory of its own, and with room for a few cuts only.
Offsets cuts_in_pieces(Random& random, const Gear& gear, const Bytes& bytes) {
  Offsets cuts;
  GearState state = {0, 0};
  const size_t piece_max = random.below(4) == 0 ? 40 : 250'000;
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = std::min(bytes.size() - at, 1 + random.below(piece_max));
    const Bytes piece(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at + length));
    for (size_t from = 0; from < length;) {
      Offsets found(1 + random.below(3));
      const size_t count = longhaul::cut_chunks(gear, &state, piece.data(), from, length, found.data(), found.size());
      for (size_t index = 0; index < count; index++) cuts.push_back(static_cast<uint32_t>(at + found[index]));
      from = count == found.size() ? found[count - 1] : length;
    }
    at += length;
  }
  return cuts;
}

void chunks(Random& random, uint64_t round) {
  const Gear gear = random_gear(random);
  const Bytes bytes = mixed(random);
  Offsets expected = cuts_by_definition(gear, bytes);
  check(cuts_in_pieces(random, gear, bytes) == expected, "pieces have the cuts of the definition", round);

  if (!bytes.empty() && (expected.empty() || expected.back() != bytes.size())) {
    expected.push_back(static_cast<uint32_t>(bytes.size()));
  }
  const Bytes key = random.bytes(longhaul::kKeyBytes);
  Offsets cuts(expected.size() + random.below(2));
  Bytes tags(cuts.size() * kTag);
  const size_t count = longhaul::digest_chunks(gear, key.data(), bytes.data(), 0, bytes.size(), cuts.data(),
                                               cuts.size(), tags.data(), kTag);
  cuts.resize(count);
  check(cuts == expected, "chunks and digests have the cuts of the definition", round);

  Offsets ranges;
  for (size_t index = 0; index < count; index++) {
    ranges.push_back(index == 0 ? 0 : cuts[index - 1]);
    ranges.push_back(cuts[index]);
  }
  Bytes digests(count * longhaul::kDigestBytes);
  check(longhaul::digest_ranges(key.data(), bytes.data(), bytes.size(), ranges.data(), count, digests.data(),
                                longhaul::kDigestBytes),
        "ranges within the bytes are taken", round);
  for (size_t index = 0; index < count; index++) {
    check(std::memcmp(&digests[index * longhaul::kDigestBytes], &tags[index * kTag], kTag) == 0,
          "a tag is the start of the digest", round);
  }
}

void outside(Random& random, uint64_t round) {
  const Bytes bytes = random.bytes(random.below(100));
  const Bytes key = random.bytes(longhaul::kKeyBytes);
  const Offsets ranges = {static_cast<uint32_t>(random.below(101)), static_cast<uint32_t>(random.below(102))};
  const bool within = ranges[0] <= ranges[1] && ranges[1] <= bytes.size();
  Bytes digest(kTag);
  uint64_t sum = 0;
  const size_t length = bytes.size();
  check(longhaul::digest_ranges(key.data(), bytes.data(), length, ranges.data(), 1, digest.data(), kTag) == within,
        "digests refuse ranges outside, and only those", round);
  check(longhaul::xxh64_ranges(bytes.data(), length, ranges.data(), 1, 0, &sum) == within,
        "checksums refuse ranges outside, and only those", round);
}

void differences(Random& random, uint64_t round) {
  const Bytes a = random.bytes(random.below(300));
  const Bytes b = random.bytes(a.size());
  Bytes into(a.size());
  longhaul::xor_bytes(a.data(), b.data(), into.data(), a.size());
  longhaul::xor_bytes(into.data(), b.data(), into.data(), a.size());
  check(into == a, "a difference applied gives the bytes back", round);

  Bytes sparse(random.below(2000));
  for (size_t at = 0; at < sparse.size(); at += 1 + random.below(200)) {
    sparse[at] = static_cast<uint8_t>(random.below(2));
  }
  const size_t start = random.below(sparse.size() + 1);
  const size_t end = start + random.below(sparse.size() - start + 1);
  const size_t first = longhaul::first_non_zero(sparse.data(), start, end);
  check(first == end || (first >= start && first < end && sparse[first] != 0), "the first that is not zero", round);
  const size_t min_bytes = 1 + random.below(random.below(2) == 0 ? 3 : 150);
  Offsets runs(2 * random.below(20));
  const size_t count = longhaul::zero_runs(sparse.data(), start, end, min_bytes, runs.data(), runs.size() / 2);
  check(count <= runs.size() / 2, "more runs than there is room for", round);
  for (size_t index = 0; index < count; index++) {
    const uint32_t from = runs[2 * index];
    const uint32_t to = runs[2 * index + 1];
    check(from >= start && to <= end && to - from >= min_bytes, "a run lies within the bytes", round);
    check(longhaul::first_non_zero(sparse.data(), from, to) == to, "a run is zeros", round);
    check((from == start || sparse[from - 1] != 0) && (to == end || sparse[to] != 0), "a run is whole", round);
  }
}

}  // namespace

void content_round(Random& random, uint64_t round) {
  // A round of chunks takes as long as a hundred of the others.
  if (round % 50 == 0) chunks(random, round);
  outside(random, round);
  differences(random, round);
}
