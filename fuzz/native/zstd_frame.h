// What any frame, of an encoder or of an enemy, must find when it comes to the decoders.
#pragma once

#include <cstddef>

#include "noise.h"

struct FrameLimits {
  int window_log_max;
  size_t bytes_max;    // what one call puts out, for a frame that is not sound
  size_t bytes_less;   // how much less than there is one call puts out, for one that is
  size_t stops_after;  // questions whether to stop; 0 is never
};

// Decodes it whole, in slices and as a piece, and holds the results against each other and the limits.
void stand_frame(const Bytes& frame, const Bytes& prefix, const FrameLimits& limits);
