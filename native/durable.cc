#include "durable.h"

#if !defined(_WIN32)

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "uninterrupted.h"

namespace longhaul {
namespace {

// What one gathered write takes on any system.
constexpr size_t kBuffersMax = 1024;
// Written in pieces, a large group reaches the disk sooner through the page cache than in one call: measured on ext4, up
// to twice as fast. Past the page cache one call is the faster way.
constexpr size_t kCachedWriteBytesMax = size_t{1} << 20;
constexpr size_t kDirectWriteBytesMax = size_t{16} << 20;

Outcome failure(const char* operation, int error = errno) { return {error, operation, true}; }

// How far a list of buffers has been written.
class Progress {
 public:
  explicit Progress(const std::vector<iovec>& buffers) : buffers_(buffers) { skip(0); }

  bool done() const { return index_ == buffers_.size(); }

  // What is left, but at most `room` bytes and as far as one call takes it; returns the number of parts.
  int next(iovec* parts, size_t room) const {
    size_t count = 0;
    size_t within = within_;
    for (size_t index = index_; index < buffers_.size() && count < kBuffersMax && room > 0; index++) {
      const iovec& buffer = buffers_[index];
      const size_t length = std::min(buffer.iov_len - within, room);
      parts[count++] = {static_cast<char*>(buffer.iov_base) + within, length};
      room -= length;
      within = 0;
    }
    return static_cast<int>(count);
  }

  void skip(size_t bytes) {
    while (index_ < buffers_.size() && bytes >= buffers_[index_].iov_len - within_) {
      bytes -= buffers_[index_].iov_len - within_;
      within_ = 0;
      index_++;
    }
    within_ += bytes;
  }

 private:
  const std::vector<iovec>& buffers_;
  size_t index_ = 0;
  size_t within_ = 0;
};

#if defined(O_DIRECT)

bool is_direct(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags != -1 && (flags & O_DIRECT) != 0;
}

bool set_direct(int fd, bool direct) {
  const int flags = fcntl(fd, F_GETFL);
  return flags != -1 && fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

#else

bool is_direct(int) { return false; }
bool set_direct(int, bool) { return false; }

#endif

// One pwritev and one fdatasync. pwritev2 with RWF_DSYNC does both in one call and was measured on ext4, appending to
// preallocated blocks and overwriting: no faster at any size.
int sync_data(int fd) {
#if defined(__APPLE__)
  // fsync leaves the bytes in the drive's cache there; where a file system knows no F_FULLFSYNC it is all there is.
  const int result = uninterrupted([&] { return fcntl(fd, F_FULLFSYNC); });
  const bool unknown = result == -1 && (errno == ENOTSUP || errno == EINVAL || errno == ENOTTY);
  return unknown ? uninterrupted([&] { return fsync(fd); }) : result;
#else
  return uninterrupted([&] { return fdatasync(fd); });
#endif
}

}  // namespace

Outcome write_durable(int fd, const std::vector<iovec>& buffers, int64_t position, bool sync) {
  iovec parts[kBuffersMax];
  bool direct = is_direct(fd);
  for (Progress progress(buffers); !progress.done();) {
    const int count = progress.next(parts, direct ? kDirectWriteBytesMax : kCachedWriteBytesMax);
    const ssize_t written = uninterrupted([&] { return pwritev(fd, parts, count, static_cast<off_t>(position)); });
    // Alignment that this disk does not take, or a file system that takes no such writes at all.
    if (written < 0 && errno == EINVAL && direct && set_direct(fd, false)) {
      direct = false;
      continue;
    }
    if (written < 0) return failure("write");
    // Never seen; asking again would go on for ever.
    if (written == 0) return failure("write", EIO);
    progress.skip(static_cast<size_t>(written));
    position += written;
  }
  if (sync && sync_data(fd) != 0) return failure("fdatasync");
  return {};
}

bool bypass_cache(int fd) { return set_direct(fd, true); }

#if defined(__linux__)

Outcome preallocate(int fd, int64_t bytes) {
  if (uninterrupted([&] { return fallocate(fd, 0, 0, static_cast<off_t>(bytes)); }) == 0) return {};
  if (errno == EOPNOTSUPP || errno == ENOSYS) return {0, "", false};
  return failure("fallocate");
}

#elif defined(__APPLE__)

Outcome preallocate(int fd, int64_t bytes) {
  struct stat before;
  if (fstat(fd, &before) != 0) return failure("fstat");
  if (before.st_size >= bytes) return {};
  fstore_t store = {};
  store.fst_flags = F_ALLOCATEALL;
  store.fst_posmode = F_PEOFPOSMODE;
  store.fst_length = bytes - before.st_size;
  if (uninterrupted([&] { return fcntl(fd, F_PREALLOCATE, &store); }) == -1) {
    if (errno == ENOTSUP || errno == EINVAL) return {0, "", false};
    return failure("fallocate");
  }
  if (uninterrupted([&] { return ftruncate(fd, static_cast<off_t>(bytes)); }) == -1) return failure("ftruncate");
  return {};
}

#else

Outcome preallocate(int, int64_t) { return {0, "", false}; }

#endif

#if defined(__linux__)

Outcome write_zeros(int fd, int64_t from, int64_t to) {
  constexpr size_t kPage = 4096;
  constexpr int64_t kStep = 1 << 20;
  // Another description of the same file: with the page cache in between, a sync of the file would wait for the zeros.
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int direct = uninterrupted([&] { return open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC); });
  if (direct == -1) return {0, "", false};
  const std::unique_ptr<void, decltype(&std::free)> zeros(std::aligned_alloc(kPage, kStep), &std::free);
  Outcome outcome;
  if (zeros == nullptr) {
    outcome.supported = false;
  } else {
    std::memset(zeros.get(), 0, kStep);
    while (from < to && outcome.error == 0 && outcome.supported) {
      const auto length = static_cast<size_t>(std::min(kStep, to - from));
      const ssize_t written = uninterrupted([&] { return pwrite(direct, zeros.get(), length, from); });
      if (written > 0) {
        from += written;
      } else if (written == -1 && errno == EINVAL) {
        outcome.supported = false;
      } else {
        outcome = failure("write", written == 0 ? EIO : errno);
      }
    }
    if (outcome.error == 0 && outcome.supported && sync_data(direct) != 0) outcome = failure("fdatasync");
  }
  close(direct);
  return outcome;
}

#else

Outcome write_zeros(int, int64_t, int64_t) { return {0, "", false}; }

#endif

}  // namespace longhaul

#endif
