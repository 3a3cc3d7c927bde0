// The records of a journal that lie one after the other in memory: filling in their checksums, and checking them.
//
// A record is a header of 64 bytes, the key, the payload, and zeros up to a multiple of 8; numbers are little endian.
//
//   0  sequence          u64   40 payloadLength   u32
//   8  epoch             u64   44 keyLength       u16, 65535 when there is no key
//   16 timestamp         u64   46 kind            u8
//   24 offset            u64   47 reserved        u8
//   32 payloadChecksum   u64   48 chain           u64
//                              56 headerChecksum  u64
//
// The same layout stands in src/engine/record-layout.ts, and the portable twin in src/engine/portable.ts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longhaul {

// What the functions below read and leave in the caller's `state`, by index.
enum StateField : size_t {
  kSegmentSeed = 0,  // the seed of header checksums
  kChain = 1,        // the chain so far
  kSequence = 2,     // the sequence number that must come next
  kStop = 3,         // why checking stopped, a Stop
  kEpoch = 4,        // the epoch of the record before
  kSealFields = 2,   // how many fields sealing uses
  kCheckFields = 5,  // how many fields checking uses
};

enum class Stop : uint64_t {
  kEnd = 0,  // the end was reached, or `found` is full
  kCutOff = 1,
  kHeaderChecksum = 2,
  kSequence = 3,
  kChain = 4,
  kPayloadChecksum = 5,
  kEpoch = 6,
};

struct Sealed {
  size_t records;
  bool malformed;  // a record does not lie whole before the end
  size_t at;       // where, if so
};

// Fills in the checksums of the records in bytes[start, end). `state` moves on only when all of them are sealed.
Sealed seal_records(uint8_t* bytes, size_t start, size_t end, uint64_t state[kSealFields]);

// Checks the records in bytes[start, end) in turn and writes where each sound one starts into `found`. What the record
// that ended it says is not in `state`. Offset is double or uint32_t, as JavaScript's typed arrays have them.
template <typename Offset>
size_t check_records(const uint8_t* bytes, size_t start, size_t end, uint64_t state[kCheckFields], Offset* found,
                     size_t found_max);

}  // namespace longhaul
