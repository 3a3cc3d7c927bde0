// Matches are in order, do not overlap, lie within both versions and are of the same bytes; calls that take a few at a
// time go on where the last one ended.
#include "../../native/match.h"

#include <cstring>

#include "check.h"
#include "input.h"

namespace {

constexpr size_t kLeadMax = 16;
constexpr size_t kContentMax = 20'000;

// Parts of the base in their place or moved, new content, and bytes that have changed.
Bytes rewritten(const Bytes& base, Input& input) {
  Bytes made;
  size_t at = 0;
  while (input.left() > 0 && made.size() < kContentMax) {
    const uint8_t word = input.byte();
    if (word % 8 == 7) break;
    if (word % 2 == 1) at = input.below(base.size() + 1);
    const size_t length = std::min(base.size() - at, input.below(word % 8 < 4 ? 256 : kContentMax));
    const auto from = base.begin() + static_cast<ptrdiff_t>(at);
    made.insert(made.end(), from, from + static_cast<ptrdiff_t>(length));
    const Bytes fresh = input.bytes(word / 8);
    made.insert(made.end(), fresh.begin(), fresh.end());
    at = std::min(base.size(), at + length + (word % 8 < 2 ? fresh.size() : 0));
  }
  for (size_t changes = input.below(8); changes > 0 && !made.empty(); changes--) {
    made[input.below(made.size())] ^= 1;
  }
  return Bytes(made);
}

void hold(const Bytes& base, const Bytes& target, size_t& end, const uint32_t* match) {
  const size_t at = match[0], base_at = match[1], length = match[2];
  check(at >= end && length > 0, "matches are in order and do not overlap");
  check(at <= target.size() && length <= target.size() - at, "a match lies within the target");
  check(base_at <= base.size() && length <= base.size() - base_at, "and within the base");
  check(std::memcmp(target.data() + at, base.data() + base_at, length) == 0, "it is of the same bytes");
  end = at + length;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const size_t leads[] = {input.below(kLeadMax), input.below(kLeadMax)};
  const size_t room = input.flag() ? 1 + input.below(4) : kContentMax;
  const uint64_t from = input.number(2);
  const Bytes old_content = input.content(kContentMax);
  const Bytes new_content = rewritten(old_content, input);
  Placed base(old_content, leads[0]);
  Placed target(new_content, leads[1]);

  std::vector<uint32_t> matches(longhaul::kMatchFields * room);
  size_t end = from % (new_content.size() + 1);
  for (size_t count = room; count == room;) {
    count = longhaul::match_bytes(base.data(), base.size(), target.data(), target.size(), end, matches.data(), room);
    check(count <= room, "more matches than there is room for");
    for (size_t index = 0; index < count; index++) {
      hold(old_content, new_content, end, matches.data() + longhaul::kMatchFields * index);
    }
  }
  check(base.bytes() == old_content && target.bytes() == new_content, "what is read stays as it is");
  return 0;
}
