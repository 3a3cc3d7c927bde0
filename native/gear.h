// Content-defined chunking with Gear (Xia et al., Ddelta, Performance Evaluation 79, 2014; FastCDC, USENIX ATC 2016).
//
// The hash after byte i is h = 2h + table[byte i] modulo 2^32, so it depends on the last 32 bytes and no others. Where
// it is below `limit`, which its top bits decide, a chunk may end behind that byte. Those places come first, several
// stretches of the bytes side by side; which of them end a chunk follows in order. A chunk is never shorter than the
// window, so what comes before a chunk has no part in where it ends.
//
// The portable twin is src/engine/portable-chunks.ts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longhaul {

constexpr uint32_t kGearWindow = 32;

// As src/engine/gear.ts lays it out in a Uint32Array.
struct Gear {
  uint32_t min_bytes;  // from the window's length on
  uint32_t max_bytes;  // from min_bytes on
  uint32_t limit;
  uint32_t table[256];
};
// The hash behind the bytes [from, to), from what it was before them.
inline uint32_t gear_roll(const uint32_t* table, uint32_t hash, const uint8_t* from, const uint8_t* to) {
  for (; from < to; from++) hash = (hash << 1) + table[*from];
  return hash;
}
// The hash of the bytes before `at`, as far as the byte at `at` still leaves them a part.
inline uint32_t gear_before(const uint32_t* table, const uint8_t* at) {
  return gear_roll(table, 0, at - (kGearWindow - 1), at);
}
constexpr size_t kGearFields = sizeof(Gear) / sizeof(uint32_t);

// Where in the stream a call begins, and afterwards where it has come to.
struct GearState {
  uint32_t hash;  // of the 32 bytes before, or of as many as there were
  uint32_t open;  // how many bytes before belong to the chunk that has not ended; below max_bytes
};
constexpr size_t kGearStateFields = sizeof(GearState) / sizeof(uint32_t);

// The ends of the chunks in bytes[start, end), one after the other.
class Cutter {
 public:
  Cutter(const Gear& gear, GearState state, const uint8_t* bytes, size_t start, size_t end);

  // Where the next chunk ends; false when it does not end within the bytes.
  bool next(size_t* cut);

  // For a call that goes on at `position`, which is the last cut or the end of the bytes.
  GearState state_at(size_t position) const;

 private:
  // The stretches that are hashed side by side: three keep the processor's load ports busy without running out of
  // registers. A piece, and with it the chunks that end in it, stays in the second-level cache.
  static constexpr size_t kStretchBytes = size_t{64} << 10;
  static constexpr size_t kPieceBytes = 3 * kStretchBytes;

  void scan_piece();
  bool candidate_between(size_t from, size_t to, size_t* at) const;
  void mark(const uint8_t* byte) {
    const auto at = static_cast<size_t>(byte - bytes_) - piece_start_;
    candidates_[at / 64] |= uint64_t{1} << (at % 64);
  }

  const Gear& gear_;
  const GearState before_;
  const uint8_t* const bytes_;
  const size_t start_;
  const size_t end_;
  int64_t chunk_start_;  // before `start_` when the chunk is open
  uint32_t hash_;        // at piece_end_
  // The piece that has been scanned, and its candidates by place.
  size_t piece_start_;
  size_t piece_end_;
  uint64_t candidates_[kPieceBytes / 64];
};

// Writes the ends of the chunks of bytes[start, end) into `cuts` and returns how many there are. When `cuts` is full it
// ends at the last of them, else at `end` with a chunk open. `state` moves on to there.
size_t cut_chunks(const Gear& gear, GearState* state, const uint8_t* bytes, size_t start, size_t end, uint32_t* cuts,
                  size_t cuts_max);

}  // namespace longhaul
