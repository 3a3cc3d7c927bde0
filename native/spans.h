// Reading many places of a file in one go, for a thread that may wait. POSIX only: elsewhere the twin does it.
#pragma once

#include "durable.h"

#if !defined(_WIN32)

#include <cstddef>
#include <cstdint>
#include <vector>

namespace longhaul {

struct Span {
  int64_t position;
  size_t length;
};

// Reads the spans into memory that has room for them all, one behind the other. Not supported means that the file ends
// before one of them does; the memory holds anything then.
Outcome read_spans(int fd, const std::vector<Span>& spans, uint8_t* into);

}  // namespace longhaul

#endif
