// One long frame of zstd, flushed at the end of each call: what was put in can be decoded then, and what comes later
// refers to it. Free of Node. Calls come one at a time, from any thread.
#pragma once

#include <atomic>
#include <memory>

#include "zstd_call.h"

namespace longhaul {

struct ZstdEncoderOptions {
  int level;
  int window_log;
  bool long_distance;
  bool checksum;
};

class ZstdEncoder {
 public:
  // Takes all the memory it will ever take, and indexes `prefix`, of which it keeps a copy.
  ZstdOutcome open(const ZstdEncoderOptions& options, const ZstdSpans& prefix);
  ZstdOutcome compress(const ZstdSpans& input, ZstdOutput& output, const ZstdStop& stop);
  // Ends the frame; nothing can follow.
  ZstdOutcome end(ZstdOutput& output);

  // From any thread, at any time.
  size_t memory_bytes() const { return memory_bytes_; }
  void close();

 private:
  ZstdOutcome write(ZSTD_inBuffer input, ZSTD_EndDirective directive, ZstdOutput& output);
  ZstdOutcome broken(const char* reason, ZstdStatus status = ZstdStatus::failed);

  std::unique_ptr<ZSTD_CCtx, ZstdFree> context_;
  ZstdPrefix prefix_;
  std::atomic<size_t> memory_bytes_{0};
  // An encoder that failed once, or ended, stays so.
  ZstdOutcome ended_;
};

}  // namespace longhaul
