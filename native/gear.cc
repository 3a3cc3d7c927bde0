#include "gear.h"

#include <algorithm>
#include <cstring>

// A candidate is met once in thousands of bytes; without being told so, compilers jump around it at every byte.
#if defined(_MSC_VER)
#include <intrin.h>
#define LONGHAUL_RARE(condition) (condition)
#else
#define LONGHAUL_RARE(condition) __builtin_expect((condition), 0)
#endif

namespace longhaul {
namespace {

unsigned lowest_bit(uint64_t word) {
#if defined(_MSC_VER)
  unsigned long index = 0;
  _BitScanForward64(&index, word);
  return static_cast<unsigned>(index);
#else
  return static_cast<unsigned>(__builtin_ctzll(word));
#endif
}

}  // namespace

Cutter::Cutter(const Gear& gear, GearState state, const uint8_t* bytes, size_t start, size_t end)
    : gear_(gear),
      before_(state),
      bytes_(bytes),
      start_(start),
      end_(end),
      chunk_start_(static_cast<int64_t>(start) - state.open),
      hash_(state.hash),
      piece_start_(start),
      piece_end_(start) {}

bool Cutter::next(size_t* cut) {
  // The chunk may end behind the bytes from `first` on, and does behind the byte before `last`.
  const int64_t first = chunk_start_ + gear_.min_bytes - 1;
  const int64_t last = chunk_start_ + gear_.max_bytes;
  for (;;) {
    const auto from = static_cast<size_t>(std::max(first, static_cast<int64_t>(piece_start_)));
    const auto to = static_cast<size_t>(std::min(last, static_cast<int64_t>(piece_end_)));
    size_t at = 0;
    if (candidate_between(from, to, &at)) {
      *cut = at + 1;
      break;
    }
    if (last <= static_cast<int64_t>(piece_end_)) {
      *cut = static_cast<size_t>(last);
      break;
    }
    if (piece_end_ == end_) return false;
    scan_piece();
  }
  chunk_start_ = static_cast<int64_t>(*cut);
  return true;
}

bool Cutter::candidate_between(size_t from, size_t to, size_t* at) const {
  if (from >= to) return false;
  const size_t words = (to - piece_start_ + 63) / 64;
  size_t index = (from - piece_start_) / 64;
  uint64_t word = candidates_[index] & (~uint64_t{0} << ((from - piece_start_) % 64));
  while (word == 0) {
    if (++index == words) return false;
    word = candidates_[index];
  }
  *at = piece_start_ + index * 64 + lowest_bit(word);
  return *at < to;
}

void Cutter::scan_piece() {
  piece_start_ = piece_end_;
  const size_t length = std::min(end_ - piece_start_, kPieceBytes);
  piece_end_ = piece_start_ + length;
  std::memset(candidates_, 0, (length + 63) / 64 * sizeof candidates_[0]);
  const uint32_t* const table = gear_.table;
  const uint32_t limit = gear_.limit;
  const uint8_t* const piece = bytes_ + piece_start_;
  const size_t stretch = length / 3;
  uint32_t hash = hash_;
  size_t done = 0;
  if (stretch >= kGearWindow) {
    uint32_t hash2 = gear_before(table, piece + stretch);
    uint32_t hash3 = gear_before(table, piece + 2 * stretch);
    // One pointer and one distance instead of three pointers: there are just enough registers.
    for (const uint8_t* at = piece; at < piece + stretch; at++) {
      hash = (hash << 1) + table[at[0]];
      hash2 = (hash2 << 1) + table[at[stretch]];
      hash3 = (hash3 << 1) + table[at[2 * stretch]];
      if (LONGHAUL_RARE(hash < limit)) mark(at);
      if (LONGHAUL_RARE(hash2 < limit)) mark(at + stretch);
      if (LONGHAUL_RARE(hash3 < limit)) mark(at + 2 * stretch);
    }
    hash = hash3;
    done = 3 * stretch;
  }
  for (; done < length; done++) {
    hash = (hash << 1) + table[piece[done]];
    if (LONGHAUL_RARE(hash < limit)) mark(piece + done);
  }
  hash_ = hash;
}

GearState Cutter::state_at(size_t position) const {
  const bool whole = position - start_ >= kGearWindow;
  const uint8_t* const from = bytes_ + (whole ? position - kGearWindow : start_);
  const uint32_t hash = gear_roll(gear_.table, whole ? 0 : before_.hash, from, bytes_ + position);
  return {hash, static_cast<uint32_t>(static_cast<int64_t>(position) - chunk_start_)};
}

size_t cut_chunks(const Gear& gear, GearState* state, const uint8_t* bytes, size_t start, size_t end, uint32_t* cuts,
                  size_t cuts_max) {
  Cutter cutter(gear, *state, bytes, start, end);
  size_t count = 0;
  for (size_t cut = 0; count < cuts_max && cutter.next(&cut);) cuts[count++] = static_cast<uint32_t>(cut);
  *state = cutter.state_at(count == cuts_max && count > 0 ? cuts[count - 1] : end);
  return count;
}

}  // namespace longhaul
