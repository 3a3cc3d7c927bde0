// Chunks, digests, features and checksums: cuts and features are those of the definition, whole and in pieces, and what is
// done in one call is what is done in several.
#include <algorithm>
#include <cstring>

#include "../../native/digest.h"
#include "../../native/gear.h"
#include "../../native/sketch.h"
#include "../../native/xxh64.h"
#include "check.h"
#include "input.h"

namespace {

using longhaul::Gear;
using longhaul::GearState;
using longhaul::kDigestBytes;
using longhaul::kTagBytes;
using Offsets = std::vector<uint32_t>;

constexpr size_t kLeadMax = 16;
// More than two of the pieces that are scanned at once; that much takes a while, so it is tried now and then.
constexpr size_t kLargeMax = 450'000;
constexpr size_t kSmallMax = 5000;

Gear gear_of(Input& input) {
  Gear gear;
  gear.min_bytes = static_cast<uint32_t>(longhaul::kGearWindow + (input.flag() ? input.below(4000) : input.below(2)));
  gear.max_bytes = static_cast<uint32_t>(gear.min_bytes + (input.flag() ? input.below(300'000) : input.below(50)));
  const size_t shift = input.below(33);
  gear.limit = shift == 32 ? ~uint32_t{0} : static_cast<uint32_t>(input.number(4)) >> shift;
  const uint8_t seed = input.byte();
  Noise noise(seed);
  for (uint32_t& entry : gear.table) entry = seed == 0 ? 0 : static_cast<uint32_t>(noise.next());
  return gear;
}

// One hash at a time.
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

// Each call looks at a whole piece again, so however small the chunks are there must not be too many calls.
constexpr size_t kCallsMax = 8;

// Each piece in memory of its own, and with room for a few cuts only.
Offsets cuts_in_pieces(Noise noise, const Gear& gear, const Bytes& bytes) {
  Offsets cuts;
  GearState state = {0, 0};
  const size_t piece_max = noise.one_in(4) ? 40 : noise.one_in(2) ? 3000 : 250'000;
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = std::min(bytes.size() - at, 1 + noise.below(piece_max));
    const Bytes piece(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at + length));
    for (size_t from = 0; from < length;) {
      Offsets found(1 + noise.below(3) + length / longhaul::kGearWindow / kCallsMax);
      const size_t count = longhaul::cut_chunks(gear, &state, piece.data(), from, length, found.data(), found.size());
      check(count <= found.size(), "more cuts than there is room for");
      check(state.open < gear.max_bytes, "a chunk that is open is not too long");
      for (size_t index = 0; index < count; index++) cuts.push_back(static_cast<uint32_t>(at + found[index]));
      from = count == found.size() ? found[count - 1] : length;
    }
    at += length;
  }
  return cuts;
}

struct Digested {
  Offsets cuts;
  Bytes digests;
};

// With room for so many chunks a call.
Digested chunks_in_calls(const Gear& gear, const Bytes& key, Placed& bytes, size_t room, size_t out_bytes) {
  Digested all;
  for (size_t from = 0;;) {
    Offsets cuts(room);
    Bytes digests(room * out_bytes);
    const size_t count = longhaul::digest_chunks(gear, key.data(), bytes.data(), from, bytes.size(), 0, cuts.data(), room,
                                                 digests.data(), out_bytes);
    check(count <= room, "more chunks than there is room for");
    all.cuts.insert(all.cuts.end(), cuts.begin(), cuts.begin() + static_cast<ptrdiff_t>(count));
    all.digests.insert(all.digests.end(), digests.begin(), digests.begin() + static_cast<ptrdiff_t>(count * out_bytes));
    if (count < room) return all;
    from = all.cuts.back();
  }
}

void digests_one_by_one(const Bytes& key, Placed& bytes, const Digested& whole, const Bytes& tags) {
  const Offsets& cuts = whole.cuts;
  Offsets ranges;
  for (size_t index = 0; index < cuts.size(); index++) {
    ranges.push_back(index == 0 ? 0 : cuts[index - 1]);
    ranges.push_back(cuts[index]);
  }
  Bytes digests(cuts.size() * kDigestBytes);
  check(longhaul::digest_ranges(key.data(), bytes.data(), bytes.size(), ranges.data(), cuts.size(), digests.data(),
                                kDigestBytes),
        "ranges within the bytes are taken");
  check(digests == whole.digests, "chunks and digests in one call are those of two");
  std::vector<uint64_t> sums(cuts.size());
  check(longhaul::xxh64_ranges(bytes.data(), bytes.size(), ranges.data(), cuts.size(), 9, sums.data()),
        "by checksums as well");
  for (size_t index = 0; index < cuts.size(); index++) {
    check(std::memcmp(&digests[index * kDigestBytes], &tags[index * kTagBytes], kTagBytes) == 0,
          "a tag is the start of the digest");
    const Bytes part(bytes.data() + ranges[2 * index], bytes.data() + ranges[2 * index + 1]);
    check(sums[index] == longhaul::xxh64(part.data(), part.size(), 9), "a checksum depends on its range alone");
  }
}

// Each window by itself.
void features_by_definition(const Gear& gear, Placed& bytes, size_t start) {
  uint32_t expected[longhaul::kFeatures] = {};
  size_t samples = 0;
  for (size_t end = start + longhaul::kGearWindow; end <= bytes.size(); end++) {
    uint32_t hash = 0;
    for (size_t at = end - longhaul::kGearWindow; at < end; at++) hash = 2 * hash + gear.table[bytes.data()[at]];
    if (hash >> 26 != 0) continue;
    samples++;
    for (size_t index = 0; index < longhaul::kFeatures; index++) {
      expected[index] = std::max(expected[index], hash * (gear.table[index] | 1) + gear.table[128 + index]);
    }
  }
  uint32_t features[longhaul::kFeatures];
  check(longhaul::sketch(gear, bytes.data(), start, bytes.size(), features) == samples, "as many samples as there are");
  check(std::memcmp(features, expected, sizeof expected) == 0, "the features of the definition");
}

// The last chunk is digested up to `head` too, if it begins before.
void head_behind_the_others(const Gear& gear, const Bytes& key, Placed& bytes, const Offsets& ends, size_t head) {
  const size_t last = ends.size() < 2 ? 0 : ends[ends.size() - 2];
  Offsets cuts(ends.size());
  Bytes tags((ends.size() + 1) * kTagBytes, 0);
  longhaul::digest_chunks(gear, key.data(), bytes.data(), 0, bytes.size(), head, cuts.data(), cuts.size(), tags.data(),
                          kTagBytes);
  check(cuts == ends, "with a head as without");
  Bytes expected(kTagBytes, 0);
  if (last < head) longhaul::digest(key.data(), bytes.data() + last, head - last, expected.data(), kTagBytes);
  check(std::equal(expected.begin(), expected.end(), tags.end() - kTagBytes), "the head's digest is behind the others");
}

void chunks(Input& input) {
  const Gear gear = gear_of(input);
  const Noise slices(input.byte());
  const size_t lead = input.below(kLeadMax);
  const size_t room = 1 + input.below(64);
  const Bytes key = Noise(input.byte()).bytes(longhaul::kKeyBytes);
  const Bytes content = input.content(input.byte() % 64 == 63 ? kLargeMax : kSmallMax);
  Offsets expected = cuts_by_definition(gear, content);
  check(cuts_in_pieces(slices, gear, content) == expected, "pieces have the cuts of the definition");

  const size_t last = expected.empty() ? 0 : expected.back();
  if (last < content.size()) expected.push_back(static_cast<uint32_t>(content.size()));
  Placed bytes(content, lead);
  const Digested whole = chunks_in_calls(gear, key, bytes, expected.size() + 1, kDigestBytes);
  check(whole.cuts == expected, "chunks and digests have the cuts of the definition");
  const Digested parts = chunks_in_calls(gear, key, bytes, room + expected.size() / kCallsMax, kTagBytes);
  check(parts.cuts == expected, "call by call as well");
  digests_one_by_one(key, bytes, whole, parts.digests);
  if (!content.empty()) {
    head_behind_the_others(gear, key, bytes, expected, room % 4 == 0 ? 0 : content.size() - room % content.size());
  }
  if (content.size() <= kSmallMax) features_by_definition(gear, bytes, std::min(room, content.size()));
}

void ranges_outside(Input& input) {
  const Bytes key(longhaul::kKeyBytes);
  const Bytes bytes(input.below(100));
  const auto from = static_cast<uint32_t>(input.flag() ? input.number(4) : input.below(102));
  const auto to = static_cast<uint32_t>(input.flag() ? input.number(4) : input.below(102));
  const Offsets ranges = {from, to};
  const bool within = from <= to && to <= bytes.size();
  Bytes digest(kTagBytes);
  uint64_t sum = 0;
  check(longhaul::digest_ranges(key.data(), bytes.data(), bytes.size(), ranges.data(), 1, digest.data(), kTagBytes) ==
            within,
        "digests refuse ranges outside, and only those");
  check(longhaul::xxh64_ranges(bytes.data(), bytes.size(), ranges.data(), 1, 0, &sum) == within,
        "checksums refuse ranges outside, and only those");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  ranges_outside(input);
  chunks(input);
  return 0;
}
