// The addon's kernels under AddressSanitizer, without Node: kernels <seed> <rounds> <file to write>.
//
// Every stretch of memory is exactly as long as it says, so that a read or write beside it is caught. A failed check
// names the round; the seed replays it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../../native/durable.h"
#include "../../native/records.h"
#include "content.h"

namespace {

constexpr uint64_t kSeed = 77;
constexpr uint64_t kFirst = 1000;

// What the writes below find.
struct Disk {
  Random* random;
  size_t room_end;
};
Disk disk = {nullptr, 0};

template <typename T>
void put(Bytes& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

Bytes random_records(Random& random, size_t count) {
  Bytes all;
  for (size_t index = 0; index < count; index++) {
    const bool has_key = random.below(3) > 0;
    const size_t key = has_key ? random.below(40) : 0;
    const size_t payload = random.below(random.below(2) == 0 ? 20 : 600);
    Bytes record = random.bytes((64 + key + payload + 7) / 8 * 8);
    put<uint64_t>(record, 0, kFirst + index);
    put<uint64_t>(record, 8, index / 3);
    put<uint32_t>(record, 40, static_cast<uint32_t>(payload));
    put<uint16_t>(record, 44, has_key ? static_cast<uint16_t>(key) : 65535);
    all.insert(all.end(), record.begin(), record.end());
  }
  all.shrink_to_fit();
  return all;
}

template <typename Offset>
size_t sound_in(const Bytes& bytes, size_t found_max, uint64_t* stop, uint64_t round) {
  uint64_t state[longhaul::kCheckFields] = {kSeed, 5, kFirst, 99, 0};
  std::vector<Offset> found(found_max);
  const size_t sound = longhaul::check_records(bytes.data(), 0, bytes.size(), state, found.data(), found.size());
  check(sound <= found_max, "more sound records than there is room for", round);
  check(state[longhaul::kSequence] == kFirst + sound, "the sequence number follows the count", round);
  for (size_t index = 0; index < sound; index++) {
    check(found[index] + 64 <= bytes.size(), "a sound record lies within the bytes", round);
  }
  *stop = state[longhaul::kStop];
  return sound;
}

void one_round(Random& random, uint64_t round) {
  const size_t count = random.below(12);
  Bytes bytes = random_records(random, count);
  uint64_t state[longhaul::kSealFields] = {kSeed, 5};
  const longhaul::Sealed sealed = longhaul::seal_records(bytes.data(), 0, bytes.size(), state);
  check(!sealed.malformed && sealed.records == count, "whole records are sealed", round);
  uint64_t stop = 0;
  check(sound_in<double>(bytes, count + 1, &stop, round) == count && stop == 0, "what is sealed is sound", round);
  check(sound_in<uint32_t>(bytes, count / 2, &stop, round) == count / 2 && stop == 0, "a full list ends it", round);

  if (!bytes.empty()) bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(1 + random.below(255));
  const Bytes cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(random.below(bytes.size() + 1)));
  sound_in<double>(cut, count + 1, &stop, round);
  Bytes other = cut;
  longhaul::seal_records(other.data(), 0, other.size(), state);
  Bytes noise = random.bytes(random.below(300));
  sound_in<uint32_t>(noise, 3, &stop, round);
  longhaul::seal_records(noise.data(), 0, noise.size(), state);
}

void interrupted_writes(Random& random, const char* path) {
  for (uint64_t round = 0; round < 50; round++) {
    Bytes whole;
    std::vector<Bytes> parts;
    while (whole.size() < 4000) {
      parts.push_back(random.bytes(random.below(700)));
      whole.insert(whole.end(), parts.back().begin(), parts.back().end());
    }
    std::vector<iovec> buffers;
    for (Bytes& part : parts) buffers.push_back({part.data(), part.size()});
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    const bool full = random.below(4) == 0;
    disk = {&random, full ? random.below(whole.size()) : whole.size()};
    const longhaul::Outcome outcome = longhaul::write_durable(fd, buffers, 0, true);
    check(outcome.error == (full ? ENOSPC : 0), "an error is told, and only an error", round);
    Bytes content(whole.size() + 1);
    const ssize_t length = pread(fd, content.data(), content.size(), 0);
    check(length == static_cast<ssize_t>(disk.room_end), "all that fits is written", round);
    check(std::memcmp(content.data(), whole.data(), disk.room_end) == 0, "what is written is what was given", round);
    close(fd);
  }
}

}  // namespace

void check(bool holds, const char* what, uint64_t round) {
  if (holds) return;
  std::fprintf(stderr, "round %llu: %s\n", static_cast<unsigned long long>(round), what);
  std::exit(1);
}

// Stands in for the system's: signals interrupt it, it writes a part only, and the disk ends at `room_end`.
extern "C" ssize_t pwritev(int fd, const iovec* parts, int count, off_t position) {
  if (disk.random->below(4) == 0) {
    errno = EINTR;
    return -1;
  }
  Bytes given;
  for (const iovec* part = parts; part != parts + count; part++) {
    const auto* from = static_cast<const uint8_t*>(part->iov_base);
    given.insert(given.end(), from, from + part->iov_len);
  }
  const size_t room = disk.room_end - static_cast<size_t>(position);
  if (room == 0) {
    errno = ENOSPC;
    return -1;
  }
  return pwrite(fd, given.data(), std::min({room, given.size(), 1 + disk.random->below(900)}), position);
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  Random random(std::strtoull(arguments[1], nullptr, 10));
  const uint64_t rounds = std::strtoull(arguments[2], nullptr, 10);
  for (uint64_t round = 0; round < rounds; round++) {
    one_round(random, round);
    content_round(random, round);
  }
  interrupted_writes(random, arguments[3]);
  std::printf("%llu rounds\n", static_cast<unsigned long long>(rounds));
  return 0;
}
