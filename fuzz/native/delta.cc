// Differences and runs of zeros are those of the definition, byte by byte.
#include "../../native/delta.h"

#include "check.h"
#include "input.h"

namespace {

using Offsets = std::vector<uint32_t>;

constexpr size_t kLeadMax = 16;
constexpr size_t kContentMax = 5000;

void differences(Input& input) {
  const size_t leads[] = {input.below(kLeadMax), input.below(kLeadMax), input.below(kLeadMax)};
  const size_t place = input.below(3);
  Noise noise(input.byte());
  const Bytes left = input.content(kContentMax);
  const size_t length = left.size();
  const Bytes right = noise.bytes(length);
  Bytes expected(length);
  for (size_t at = 0; at < length; at++) expected[at] = static_cast<uint8_t>(left[at] ^ right[at]);

  Placed a(left, leads[0]);
  Placed b(right, leads[1]);
  Placed other(Bytes(length), leads[2]);
  Placed& into = place == 0 ? other : place == 1 ? a : b;
  longhaul::xor_bytes(a.data(), b.data(), into.data(), length);
  check(into.bytes() == expected, "a difference is that of the definition");
  check(place == 1 || a.bytes() == left, "what is read stays as it is");
  check(place == 2 || b.bytes() == right, "both of it");
  Placed again(right, leads[1]);
  longhaul::xor_bytes(into.data(), again.data(), into.data(), length);
  check(into.bytes() == left, "a difference applied gives the bytes back");
}

size_t first_by_definition(const Bytes& bytes, size_t start, size_t end) {
  while (start < end && bytes[start] == 0) start++;
  return start;
}

Offsets runs_by_definition(const Bytes& bytes, size_t start, size_t end, size_t min_bytes) {
  Offsets runs;
  for (size_t from = start; from < end; from++) {
    const size_t to = first_by_definition(bytes, from, end);
    if (to > from && to - from >= min_bytes) {
      runs.push_back(static_cast<uint32_t>(from));
      runs.push_back(static_cast<uint32_t>(to));
    }
    from = to;
  }
  return runs;
}

// With room for so many runs a call.
Offsets runs_in_calls(const uint8_t* bytes, size_t start, size_t end, size_t min_bytes, size_t room) {
  Offsets all;
  for (;;) {
    Offsets runs(2 * room);
    const size_t count = longhaul::zero_runs(bytes, start, end, min_bytes, runs.data(), room);
    check(count <= room, "more runs than there is room for");
    all.insert(all.end(), runs.begin(), runs.begin() + static_cast<ptrdiff_t>(2 * count));
    if (count < room) return all;
    start = all.back();
  }
}

void zeros(Input& input) {
  const size_t lead = input.below(kLeadMax);
  const uint64_t from = input.number(2);
  const uint64_t length = input.number(2);
  const size_t min_bytes = 1 + (input.flag() ? input.below(300) : input.below(4));
  const size_t room = 1 + input.below(4);
  const Bytes content = input.content(kContentMax);
  const size_t start = from % (content.size() + 1);
  const size_t end = start + length % (content.size() - start + 1);

  // Nothing behind `end` may be looked at.
  Placed bytes(Bytes(content.begin(), content.begin() + static_cast<ptrdiff_t>(end)), lead);
  check(longhaul::first_non_zero(bytes.data(), start, end) == first_by_definition(content, start, end),
        "the first that is not zero is that of the definition");
  check(runs_in_calls(bytes.data(), start, end, min_bytes, room) == runs_by_definition(content, start, end, min_bytes),
        "runs of zeros are those of the definition");
  check(longhaul::zero_runs(bytes.data(), start, end, min_bytes, nullptr, 0) == 0, "no room, no runs");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  differences(input);
  zeros(input);
  return 0;
}
