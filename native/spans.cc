#include "spans.h"

#if !defined(_WIN32)

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "uninterrupted.h"

namespace longhaul {
namespace {

// A span, or what is left of one, and where it goes.
struct Rest {
  int64_t position;
  size_t length;
  uint8_t* into;

  void skip(size_t bytes) {
    position += static_cast<int64_t>(bytes);
    length -= bytes;
    into += bytes;
  }
};

// Reads what lies in memory already, and no more.
#if defined(RWF_NOWAIT)
void read_cached(int fd, Rest* rest) {
  const iovec part = {rest->into, rest->length};
  const ssize_t bytes =
      uninterrupted([&] { return preadv2(fd, &part, 1, static_cast<off_t>(rest->position), RWF_NOWAIT); });
  if (bytes > 0) rest->skip(static_cast<size_t>(bytes));
}
#else
void read_cached(int, Rest*) {}
#endif

// Has the system begin to read, so that the disk is asked for all that is wanted at once.
#if defined(POSIX_FADV_WILLNEED)
void announce(int fd, const Rest& rest) {
  posix_fadvise(fd, static_cast<off_t>(rest.position), static_cast<off_t>(rest.length), POSIX_FADV_WILLNEED);
}
#else
void announce(int, const Rest&) {}
#endif

}  // namespace

Outcome read_spans(int fd, const std::vector<Span>& spans, uint8_t* into) {
  std::vector<Rest> rests;
  for (const Span& span : spans) {
    Rest rest = {span.position, span.length, into};
    into += span.length;
    read_cached(fd, &rest);
    if (rest.length > 0) rests.push_back(rest);
  }
  for (const Rest& rest : rests) announce(fd, rest);
  for (Rest& rest : rests) {
    while (rest.length > 0) {
      const ssize_t bytes =
          uninterrupted([&] { return pread(fd, rest.into, rest.length, static_cast<off_t>(rest.position)); });
      if (bytes < 0) return {errno, "read", true};
      if (bytes == 0) return {0, "", false};
      rest.skip(static_cast<size_t>(bytes));
    }
  }
  return {};
}

}  // namespace longhaul

#endif
