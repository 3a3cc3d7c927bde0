// The other end of ZstdEncoder, for input from a peer that is not trusted. Free of Node. Calls come one at a time, from
// any thread.
#pragma once

#include <atomic>
#include <memory>

#include "zstd_call.h"

namespace longhaul {

class ZstdDecoder {
 public:
  // Frames may ask for a window of 2^window_log_max bytes. Keeps a copy of `prefix`.
  ZstdOutcome open(int window_log_max, const ZstdSpans& prefix);
  // Everything that the input decodes to. `output` has room for one byte more than the call may put out, which tells
  // exactly enough from too much. After anything but `done` every further call ends the same way. The end of the frame
  // frees the memory.
  ZstdOutcome decompress(const ZstdSpans& input, ZstdOutput& output, const ZstdStop& stop);

  // From any thread, at any time.
  size_t memory_bytes() const { return memory_bytes_; }
  void close();

 private:
  ZstdOutcome read_header(const ZstdSpan& span, size_t* at, ZstdOutput& output);
  ZstdOutcome read(ZSTD_inBuffer& input, ZstdOutput& output);
  ZstdOutcome broken(ZstdStatus status, const char* reason);

  std::unique_ptr<ZSTD_DCtx, ZstdFree> context_;
  ZstdPrefix prefix_;
  size_t window_bytes_max_ = 0;
  std::atomic<size_t> memory_bytes_{0};
  ZstdOutcome ended_;
  // The frame's header as far as it has come, and what it says of the length of the content.
  uint8_t header_[18];
  size_t header_bytes_ = 0;
  bool header_read_ = false;
  uint64_t content_bytes_ = 0;
  uint64_t before_bytes_ = 0;  // put out by earlier calls
  bool frame_ended_ = false;
};

}  // namespace longhaul
