// Records: what is sealed is sound as far as it was made well and left alone, and what is not is told by its name.
// Noise in place of records stays within bounds.
#include "../../native/records.h"

#include <cstring>

#include "check.h"
#include "input.h"

namespace {

using longhaul::Stop;

constexpr size_t kHeaderBytes = 64;
constexpr uint64_t kSegmentSeed = 77;
constexpr uint64_t kChainBefore = 5;
constexpr uint64_t kFirst = 1000;
constexpr size_t kRecordsMax = 12;
constexpr size_t kLeadMax = 16;

// Where a record lies, and what is wrong with it.
struct Made {
  size_t start;
  size_t content_end;
  size_t end;
  bool other_sequence;
  bool lower_epoch;
  bool header_damaged;
  bool content_damaged;
};

struct Run {
  Bytes bytes;
  std::vector<Made> records;
  bool other_chain = false;
};

template <typename T>
void put(Bytes& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

void add_record(Input& input, Run& run, uint64_t* epoch) {
  const uint8_t shape = input.byte();
  const bool has_key = shape % 4 != 0;
  const size_t key = has_key ? input.below(40) : 0;
  const size_t payload = input.below(shape % 8 < 4 ? 20 : 700);
  const Bytes content = input.bytes(key + payload);
  Made made = {};
  made.start = run.bytes.size();
  made.content_end = made.start + kHeaderBytes + key + payload;
  made.end = (made.content_end + 7) / 8 * 8;
  made.other_sequence = shape / 16 == 1;
  made.lower_epoch = shape / 16 == 2 && *epoch > 0 && !run.records.empty();
  if (shape / 16 == 3) *epoch += 1;

  run.bytes.resize(made.end);
  const uint64_t sequence = kFirst + run.records.size() + (made.other_sequence ? 1 + input.byte() : 0);
  put<uint64_t>(run.bytes, made.start, sequence);
  put<uint64_t>(run.bytes, made.start + 8, made.lower_epoch ? *epoch - 1 : *epoch);
  put<uint32_t>(run.bytes, made.start + 40, static_cast<uint32_t>(payload));
  put<uint16_t>(run.bytes, made.start + 44, has_key ? static_cast<uint16_t>(key) : 65535);
  if (!content.empty()) std::memcpy(&run.bytes[made.start + kHeaderBytes], content.data(), content.size());
  run.records.push_back(made);
}

Run run_of(Input& input) {
  Run run;
  uint64_t epoch = input.below(3);
  const size_t count = input.below(kRecordsMax);
  for (size_t index = 0; index < count; index++) add_record(input, run, &epoch);
  return run;
}

void seal(Run& run, size_t lead) {
  uint64_t state[longhaul::kSealFields] = {kSegmentSeed, kChainBefore};
  Bytes guarded(lead, 0xaa);
  guarded.insert(guarded.end(), run.bytes.begin(), run.bytes.end());
  guarded.shrink_to_fit();
  const longhaul::Sealed sealed = longhaul::seal_records(guarded.data(), lead, guarded.size(), state);
  check(!sealed.malformed && sealed.records == run.records.size(), "whole records are sealed");
  check(run.records.empty() == (state[longhaul::kChain] == kChainBefore), "the chain moves with the records");
  for (size_t at = 0; at < lead; at++) check(guarded[at] == 0xaa, "what lies before stays as it is");
  run.bytes.assign(guarded.begin() + static_cast<ptrdiff_t>(lead), guarded.end());
}

void damage(Input& input, Run& run) {
  run.other_chain = input.byte() % 16 == 15;
  for (size_t times = input.below(3); times > 0 && !run.bytes.empty(); times--) {
    const size_t at = input.below(run.bytes.size());
    // Twice at one place could mend it, so a place keeps its first damage.
    const auto mask = static_cast<uint8_t>(1 + input.below(255));
    for (Made& made : run.records) {
      if (at < made.start || at >= made.end) continue;
      const bool in_header = at < made.start + kHeaderBytes;
      bool& damaged = in_header ? made.header_damaged : made.content_damaged;
      // Padding is in no checksum.
      if (damaged || at >= made.content_end) continue;
      damaged = true;
      run.bytes[at] ^= mask;
    }
  }
}

// How many records in bytes up to `end` are sound, and why not more, by how they were made.
size_t sound_by_making(const Run& run, size_t end, size_t found_max, Stop* stop) {
  size_t sound = 0;
  *stop = Stop::kEnd;
  for (const Made& made : run.records) {
    if (made.start >= end || sound == found_max) break;
    if (end - made.start < kHeaderBytes) {
      *stop = Stop::kCutOff;
    } else if (made.header_damaged) {
      *stop = Stop::kHeaderChecksum;
    } else if (made.other_sequence) {
      *stop = Stop::kSequence;
    } else if (made.lower_epoch) {
      *stop = Stop::kEpoch;
    } else if (run.other_chain) {
      *stop = Stop::kChain;
    } else if (made.end > end) {
      *stop = Stop::kCutOff;
    } else if (made.content_damaged) {
      *stop = Stop::kPayloadChecksum;
    }
    if (*stop != Stop::kEnd) break;
    sound++;
  }
  return sound;
}

template <typename Offset>
void check_run(const Run& run, size_t lead, size_t end, size_t found_max) {
  Placed bytes(Bytes(run.bytes.begin(), run.bytes.begin() + static_cast<ptrdiff_t>(end)), lead);
  uint64_t state[longhaul::kCheckFields] = {kSegmentSeed, kChainBefore + run.other_chain, kFirst, 99, 0};
  std::vector<Offset> found(found_max);
  const size_t sound = longhaul::check_records(bytes.data(), 0, end, state, found.data(), found_max);
  Stop stop = Stop::kEnd;
  check(sound == sound_by_making(run, end, found_max, &stop), "what is sound is found, and nothing else");
  check(state[longhaul::kStop] == static_cast<uint64_t>(stop), "what ended it has its name");
  check(state[longhaul::kSequence] == kFirst + sound, "the sequence number follows the count");
  for (size_t index = 0; index < sound; index++) {
    check(found[index] == static_cast<Offset>(run.records[index].start), "a sound record is found where it starts");
  }
}

// Anything at all, sealed as far as it goes.
void noise(const Bytes& given) {
  Bytes bytes = given;
  uint64_t state[longhaul::kCheckFields] = {kSegmentSeed, kChainBefore, 0, 99, 0};
  std::vector<uint32_t> found(3);
  check(longhaul::check_records(bytes.data(), 0, bytes.size(), state, found.data(), found.size()) <= found.size(),
        "more sound records than there is room for");
  state[longhaul::kChain] = kChainBefore;
  state[longhaul::kEpoch] = 0;
  uint64_t sealing[longhaul::kSealFields] = {kSegmentSeed, kChainBefore};
  const longhaul::Sealed sealed = longhaul::seal_records(bytes.data(), 0, bytes.size(), sealing);
  check(!sealed.malformed || sealing[longhaul::kChain] == kChainBefore, "what is malformed leaves the state alone");
  check(sealed.at <= bytes.size() && sealed.at >= sealed.records * kHeaderBytes, "records lie within the bytes");
  check(sealed.malformed == (sealed.at < bytes.size()), "sealing ends at the end, or where a record does not");
  const Bytes whole(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(sealed.at));
  if (whole.empty()) return;
  std::memcpy(&state[longhaul::kSequence], whole.data(), sizeof(uint64_t));
  std::vector<double> sound(sealed.records);
  const size_t count = longhaul::check_records(whole.data(), 0, whole.size(), state, sound.data(), sound.size());
  check(count >= 1 && count <= sealed.records, "the first of them is sound");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const size_t lead = input.below(kLeadMax);
  const uint64_t cut = input.flag() ? input.number(2) : UINT64_MAX;
  const size_t found_max = input.below(kRecordsMax + 1);
  Run run = run_of(input);
  seal(run, lead);
  damage(input, run);
  const size_t end = cut == UINT64_MAX ? run.bytes.size() : cut % (run.bytes.size() + 1);
  check_run<double>(run, lead, end, kRecordsMax);
  check_run<uint32_t>(run, 0, end, found_max);
  noise(input.rest());
  return 0;
}
