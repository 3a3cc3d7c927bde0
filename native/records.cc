#include "records.h"

#include <cstring>

#include "xxh64.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the layout is little endian and is read as it lies; big-endian machines have the portable engine"
#endif

namespace longhaul {
namespace {

constexpr size_t kHeaderBytes = 64;
constexpr size_t kPayloadChecksumAt = 32;
constexpr size_t kPayloadLengthAt = 40;
constexpr size_t kKeyLengthAt = 44;
constexpr size_t kChainAt = 48;
constexpr size_t kHeaderChecksumAt = 56;
constexpr size_t kAlignment = 8;
constexpr uint16_t kNoKey = 65535;

// A record may start anywhere in memory, so numbers are copied out instead of read through a pointer.
template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store(uint8_t* to, uint64_t value) { std::memcpy(to, &value, sizeof value); }

struct Lengths {
  size_t key;
  size_t payload;
  uint64_t record;  // header and padding included

  explicit Lengths(const uint8_t* header) {
    const auto key_length = load<uint16_t>(header + kKeyLengthAt);
    key = key_length == kNoKey ? 0 : key_length;
    payload = load<uint32_t>(header + kPayloadLengthAt);
    record = (uint64_t{kHeaderBytes} + key + payload + kAlignment - 1) / kAlignment * kAlignment;
  }
};

uint64_t payload_checksum(const uint8_t* header, const Lengths& lengths) {
  const uint8_t* key = header + kHeaderBytes;
  return xxh64(key + lengths.key, lengths.payload, xxh64(key, lengths.key, 0));
}

uint64_t header_checksum(const uint8_t* header, uint64_t seed) { return xxh64(header, kHeaderChecksumAt, seed); }

uint64_t chain_after(uint64_t chain, const uint8_t* header) { return xxh64(header, kChainAt, chain); }

Stop check_record(const uint8_t* header, size_t left, uint64_t state[kCheckFields], size_t* length) {
  if (left < kHeaderBytes) return Stop::kCutOff;
  if (load<uint64_t>(header + kHeaderChecksumAt) != header_checksum(header, state[kSegmentSeed])) {
    return Stop::kHeaderChecksum;
  }
  if (load<uint64_t>(header) != state[kSequence]) return Stop::kSequence;
  const auto epoch = load<uint64_t>(header + 8);
  if (epoch < state[kEpoch]) return Stop::kEpoch;
  const uint64_t chain = chain_after(state[kChain], header);
  if (load<uint64_t>(header + kChainAt) != chain) return Stop::kChain;
  const Lengths lengths(header);
  if (lengths.record > left) return Stop::kCutOff;
  if (load<uint64_t>(header + kPayloadChecksumAt) != payload_checksum(header, lengths)) return Stop::kPayloadChecksum;
  state[kChain] = chain;
  state[kSequence] += 1;
  state[kEpoch] = epoch;
  *length = static_cast<size_t>(lengths.record);
  return Stop::kEnd;
}

}  // namespace

Sealed seal_records(uint8_t* bytes, size_t start, size_t end, uint64_t state[kSealFields]) {
  uint64_t chain = state[kChain];
  size_t records = 0;
  for (size_t at = start; at < end; records++) {
    uint8_t* header = bytes + at;
    if (end - at < kHeaderBytes) return {records, true, at};
    const Lengths lengths(header);
    if (lengths.record > end - at) return {records, true, at};
    store(header + kPayloadChecksumAt, payload_checksum(header, lengths));
    chain = chain_after(chain, header);
    store(header + kChainAt, chain);
    store(header + kHeaderChecksumAt, header_checksum(header, state[kSegmentSeed]));
    at += static_cast<size_t>(lengths.record);
  }
  state[kChain] = chain;
  return {records, false, end};
}

template <typename Offset>
size_t check_records(const uint8_t* bytes, size_t start, size_t end, uint64_t state[kCheckFields], Offset* found,
                     size_t found_max) {
  size_t sound = 0;
  Stop stop = Stop::kEnd;
  for (size_t at = start; at < end && sound < found_max;) {
    size_t length = 0;
    stop = check_record(bytes + at, end - at, state, &length);
    if (stop != Stop::kEnd) break;
    found[sound++] = static_cast<Offset>(at);
    at += length;
  }
  state[kStop] = static_cast<uint64_t>(stop);
  return sound;
}

template size_t check_records(const uint8_t*, size_t, size_t, uint64_t*, double*, size_t);
template size_t check_records(const uint8_t*, size_t, size_t, uint64_t*, uint32_t*, size_t);

}  // namespace longhaul
