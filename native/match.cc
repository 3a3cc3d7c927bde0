#include "match.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace longhaul {
namespace {

// Chosen on page writes of PostgreSQL and SQLite; src/engine/portable-match.ts has the same.
constexpr size_t kWindow = 8;     // bytes that are looked up at once
constexpr size_t kNearMin = 5;    // worth an instruction where the content was expected
constexpr size_t kFarMin = 12;    // worth one anywhere else
constexpr size_t kSettled = 128;  // so long a match leaves no doubt that its alignment is the right one
constexpr size_t kPatience = 4;   // bytes that differ before a settled alignment is doubted
constexpr size_t kSkipLog = 6;    // after so many bytes without a match (a power of two) every second is tried, …
constexpr size_t kSkipMax = 31;   // odd: goes through all remainders of the index's step
constexpr size_t kStepMin = 8;    // every so many bytes of the base are in the index, or twice as many, …
constexpr size_t kEntriesMax = 1 << 18;

constexpr size_t kWord = sizeof(uint64_t);
constexpr size_t kBlock = 4 * kWord;

template <typename Word>
Word word_at(const uint8_t* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

uint64_t difference(const uint8_t* a, const uint8_t* b) { return word_at<uint64_t>(a) ^ word_at<uint64_t>(b); }

bool same_block(const uint8_t* a, const uint8_t* b) {
  uint64_t any = 0;
  for (size_t at = 0; at < kBlock; at += kWord) any |= difference(a + at, b + at);
  return any == 0;
}

size_t common_start(const uint8_t* a, const uint8_t* b, size_t length_max) {
  size_t length = 0;
  while (length_max - length >= kBlock && same_block(a + length, b + length)) length += kBlock;
  while (length_max - length >= kWord && difference(a + length, b + length) == 0) length += kWord;
  while (length < length_max && a[length] == b[length]) length++;
  return length;
}

// Of what ends before `a` and before `b`.
size_t common_end(const uint8_t* a, const uint8_t* b, size_t length_max) {
  size_t length = 0;
  while (length < length_max && *(a - length - 1) == *(b - length - 1)) length++;
  return length;
}

struct Bytes {
  const uint8_t* data;
  size_t length;
};

// Where the base has which window, as far as its slots go: of windows that share one, the first is kept.
class Index {
 public:
  bool built() const { return !slots_.empty(); }

  // For a base of at least a window.
  void build(Bytes base) {
    step_ = kStepMin;
    while (base.length / step_ > kEntriesMax) step_ *= 2;
    const size_t entries = (base.length - kWindow) / step_ + 1;
    int bits = 6;
    while (size_t{1} << bits < 2 * entries) bits++;
    shift_ = 32 - bits;
    slots_.assign(size_t{1} << bits, 0);
    for (size_t entry = entries; entry > 0; entry--) {
      slots_[slot_of(base.data + (entry - 1) * step_)] = static_cast<uint32_t>(entry);
    }
  }

  // Whether the base may have the window, and where.
  bool find(const uint8_t* window, size_t& at) const {
    const size_t entry = slots_[slot_of(window)];
    if (entry == 0) return false;
    at = (entry - 1) * step_;
    return true;
  }

 private:
  size_t slot_of(const uint8_t* window) const {
    return (word_at<uint32_t>(window) * 0x9e3779b1U + word_at<uint32_t>(window + 4) * 0x85ebca77U) >> shift_;
  }

  size_t step_ = kStepMin;
  int shift_ = 0;
  std::vector<uint32_t> slots_;
};

struct Match {
  size_t target;
  size_t base;
  size_t length;
};

class Matcher {
 public:
  Matcher(Bytes base, Bytes target, size_t start) : base_(base), target_(target), literal_(start) {}

  // The next match, or one of no length when there is none.
  Match next() {
    for (size_t at = literal_; at < target_.length;) {
      const Match best = best_at(at);
      if (best.length > 0) {
        literal_ = best.target + best.length;
        ahead_ = static_cast<int64_t>(best.target) - static_cast<int64_t>(best.base);
        settled_ = best.length >= kSettled;
        return best;
      }
      at += std::min(1 + ((at - literal_) >> kSkipLog), kSkipMax);
    }
    return {};
  }

 private:
  // Of what agrees around a place of the target, the longest that is worth an instruction.
  Match best_at(size_t at) {
    Match best = {};
    const int64_t expected = static_cast<int64_t>(at) - ahead_;
    if (expected >= 0) take_longer(best, at, static_cast<size_t>(expected), kNearMin);
    if (ahead_ != 0) take_longer(best, at, at, kFarMin);
    const bool doubtful = !settled_ || at - literal_ >= kPatience;
    if (doubtful && best.length < kSettled && at + kWindow <= target_.length && base_.length >= kWindow) {
      if (!index_.built()) index_.build(base_);
      size_t found;
      if (index_.find(target_.data + at, found)) take_longer(best, at, found, kFarMin);
    }
    return best;
  }

  void take_longer(Match& best, size_t at, size_t base_at, size_t length_min) const {
    if (base_at >= base_.length || target_.data[at] != base_.data[base_at]) return;
    const uint8_t* const ours = target_.data + at;
    const uint8_t* const theirs = base_.data + base_at;
    const size_t behind = common_start(ours, theirs, std::min(target_.length - at, base_.length - base_at));
    const size_t before = common_end(ours, theirs, std::min(at - literal_, base_at));
    const size_t length = before + behind;
    if (length >= length_min && length > best.length) best = {at - before, base_at - before, length};
  }

  const Bytes base_;
  const Bytes target_;
  size_t literal_;        // what lies before is matched or given up
  int64_t ahead_ = 0;     // by how much content lies further on in the target than in the base, as far as it is known
  bool settled_ = true;
  Index index_;
};

}  // namespace

size_t match_bytes(const uint8_t* base, size_t base_length, const uint8_t* target, size_t target_length, size_t start,
                   uint32_t* matches, size_t matches_max) {
  Matcher matcher({base, base_length}, {target, target_length}, start);
  for (size_t count = 0; count < matches_max; count++) {
    const Match match = matcher.next();
    if (match.length == 0) return count;
    uint32_t* const fields = matches + kMatchFields * count;
    fields[0] = static_cast<uint32_t>(match.target);
    fields[1] = static_cast<uint32_t>(match.base);
    fields[2] = static_cast<uint32_t>(match.length);
  }
  return matches_max;
}

}  // namespace longhaul
