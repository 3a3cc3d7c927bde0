// Frames from a peer that is broken or means harm. An input is the limits, the prefix, and then the frame as it is:
//
//   0  log of the window that is agreed on, less 10      u8, modulo 12
//   1  what one call may put out, in bits: modulo 18     u8
//      how much less it may put out than there is: modulo 3
//   2  when to stop                                      u8, modulo 4
//   3  length of the prefix                              u16
//   5  the prefix, then the frame
//
// fuzz/seed-frames.ts makes some.
#include "input.h"
#include "zstd_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  FrameLimits limits = {};
  limits.window_log_max = 10 + static_cast<int>(input.below(12));
  const uint8_t bound = input.byte();
  limits.bytes_max = (size_t{1} << bound % 18) - 1;
  limits.bytes_less = bound % 3;
  limits.stops_after = input.below(4);
  const Bytes prefix = input.bytes(input.number(2));
  stand_frame(input.rest(), prefix, limits);
  return 0;
}
