// Writing to a file and making it durable, for a thread that may wait. POSIX only: elsewhere the twin does it.
#pragma once

#if !defined(_WIN32)

#include <sys/uio.h>

#include <cstdint>
#include <vector>

namespace longhaul {

struct Outcome {
  int error = 0;               // an errno; 0 when it went well
  const char* operation = "";  // what failed, by the names that Node uses
  bool supported = true;       // false when the file system has no such operation, which is no error
};

// Writes all buffers, one after the other from `position`, and with `sync` waits until they are on the disk.
Outcome write_durable(int fd, const std::vector<iovec>& buffers, int64_t position, bool sync);

// From now on what this descriptor writes goes past the page cache, where memory, place and length are whole pages. What
// is otherwise ends that for good, without an error. False where the system knows no such writes.
bool bypass_cache(int fd);

// Gives bytes [0, bytes) of a file their blocks, so that later writes need none. Never falls back to writing zeros.
Outcome preallocate(int fd, int64_t bytes);

// Writes zeros to bytes [from, to), which nobody else touches meanwhile, past the page cache, and waits until they are on
// the disk. Both are multiples of a page. Not supported where the system or the file system knows no such writes.
Outcome write_zeros(int fd, int64_t from, int64_t to);

}  // namespace longhaul

#endif
