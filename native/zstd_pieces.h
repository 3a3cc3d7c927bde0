// Single pieces, each a frame of its own that refers to a prefix. Free of Node; from any thread, many at a time.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "zstd_call.h"

namespace longhaul {

// Contexts that are not in use. There are never more of them than there were calls at a time.
template <typename Context>
class ZstdShelf {
 public:
  using Owned = std::unique_ptr<Context, ZstdFree>;

  Owned take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.empty()) return nullptr;
    Owned context = std::move(idle_.back());
    idle_.pop_back();
    return context;
  }

  void give(Owned context) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(context));
  }

 private:
  std::mutex mutex_;
  std::vector<Owned> idle_;
};

class ZstdPieces {
 public:
  // The output is the length of the frame, or less when the call did not go well.
  ZstdOutcome compress(const ZstdSpan& input, const ZstdSpan& prefix, int level, ZstdMemory& output, size_t& length);
  // A frame that does not say what it decodes to, or says more than `bytes_max`, is refused before anything is
  // allocated.
  ZstdOutcome decompress(const ZstdSpan& input, const ZstdSpan& prefix, size_t bytes_max, ZstdMemory& output,
                         size_t& length);

 private:
  ZstdShelf<ZSTD_CCtx> encoders_;
  ZstdShelf<ZSTD_DCtx> decoders_;
};

}  // namespace longhaul
