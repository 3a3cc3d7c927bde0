// Gathered writes to a disk that interrupts them, takes a part only, fails and fills up: what was written is what was
// given, from its start on, and an error is told, and only an error.
#include "../../native/durable.h"

#include <cerrno>
#include <cstring>

#include "check.h"
#include "input.h"

namespace {

constexpr int kDescriptor = -1;
constexpr int64_t kPosition = 4096;
constexpr size_t kBuffersMax = 1500;
// More than one call takes. That much takes a while, so it is tried now and then.
constexpr size_t kLargeMax = 1'300'000;
constexpr size_t kSmallMax = 20'000;

// Stands in for the file; the input says how each call goes.
struct Disk {
  Input* input;
  Bytes content;
  int error = 0;
  bool synced = false;

  ssize_t fail(int number) {
    errno = error = number;
    return -1;
  }
};
Disk* disk = nullptr;

Bytes joined(const iovec* parts, int count) {
  Bytes bytes;
  for (const iovec* part = parts; part != parts + count; part++) {
    const auto* from = static_cast<const uint8_t*>(part->iov_base);
    bytes.insert(bytes.end(), from, from + part->iov_len);
  }
  return bytes;
}

}  // namespace

extern "C" ssize_t pwritev(int fd, const iovec* parts, int count, off_t position) {
  check(fd == kDescriptor && disk->error == 0, "nothing is written behind an error, nor to another file");
  check(position == kPosition + static_cast<off_t>(disk->content.size()), "writes follow each other");
  check(count > 0 && count <= 1024, "one call takes so many parts");
  const Bytes given = joined(parts, count);
  check(!given.empty() && given.size() <= size_t{1} << 20, "and so many bytes");
  const uint8_t how = disk->input->byte();
  if (how % 8 == 7) {
    errno = EINTR;
    return -1;
  }
  if (how == 8) return disk->fail(ENOSPC);
  if (how == 16) return disk->fail(EINVAL);
  if (how == 24) {
    disk->error = EIO;
    return 0;
  }
  const size_t length = how % 8 < 3 ? given.size() : 1 + disk->input->below(given.size());
  disk->content.insert(disk->content.end(), given.begin(), given.begin() + static_cast<ptrdiff_t>(length));
  return static_cast<ssize_t>(length);
}

extern "C" int fdatasync(int fd) {
  check(fd == kDescriptor && disk->error == 0, "nothing is synced behind an error, nor another file");
  const uint8_t how = disk->input->byte();
  if (how % 8 == 7) {
    errno = EINTR;
    return -1;
  }
  if (how == 8) return static_cast<int>(disk->fail(EIO));
  disk->synced = true;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const bool sync = input.flag();
  const size_t count = input.flag() ? input.below(kBuffersMax) : input.below(8);
  Noise lengths(input.byte());
  const size_t content_max = input.byte() % 16 == 15 ? kLargeMax : kSmallMax;
  const size_t length_max = 1 + (input.flag() ? input.below(content_max) : input.below(20));
  const Bytes whole = input.content(content_max);

  std::vector<Bytes> parts;
  Bytes given;
  for (size_t index = 0; index < count; index++) {
    const size_t length = std::min(lengths.below(length_max), whole.size() - given.size());
    const auto from = whole.begin() + static_cast<ptrdiff_t>(given.size());
    parts.emplace_back(from, from + static_cast<ptrdiff_t>(length));
    given.insert(given.end(), parts.back().begin(), parts.back().end());
  }
  std::vector<iovec> buffers;
  for (Bytes& part : parts) buffers.push_back({part.data(), part.size()});

  Disk here = {&input, {}};
  disk = &here;
  const longhaul::Outcome outcome = longhaul::write_durable(kDescriptor, buffers, kPosition, sync);
  check(outcome.error == here.error, "an error is told, and only an error");
  check(here.content.size() <= given.size() && std::equal(here.content.begin(), here.content.end(), given.begin()),
        "what is written is what was given");
  check(outcome.error != 0 || here.content.size() == given.size(), "all of it, without an error");
  check(here.synced == (sync && outcome.error == 0), "it is synced when that was asked for");
  return 0;
}
