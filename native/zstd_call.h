// What the calls of the codec share: input in pieces, output in blocks, how a call ended, and when it should end early.
// Free of Node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include <zstd.h>

namespace longhaul {

enum class ZstdStatus {
  done,
  stopped,           // nobody waits for the result any more
  failed,            // zstd could not, for lack of memory as a rule
  damaged,           // the input is not what an encoder made
  window_too_large,  // the frame asks for more memory than was agreed
  output_too_large,  // the call would put out more than it may
};

struct ZstdOutcome {
  ZstdStatus status = ZstdStatus::done;
  const char* reason = "";  // a literal or one of zstd's own

  bool ok() const { return status == ZstdStatus::done; }
};

struct ZstdSpan {
  const uint8_t* data;
  size_t length;
};
using ZstdSpans = std::vector<ZstdSpan>;

inline size_t length_of(const ZstdSpans& spans) {
  size_t length = 0;
  for (const ZstdSpan& span : spans) length += span.length;
  return length;
}

// Asked between blocks; true ends the call.
class ZstdStop {
 public:
  virtual ~ZstdStop() = default;
  virtual bool stopped() const = 0;
};

// Input is worked on in steps of a block of zstd's, so that a call at the highest level ends within a tenth of a second
// when it should.
constexpr size_t kZstdStepBytes = size_t{128} << 10;

struct ZstdFree {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(uint8_t* memory) const { std::free(memory); }
};
using ZstdMemory = std::unique_ptr<uint8_t[], ZstdFree>;

// Bytes of the library's own allocator: no exception when there are none left, and nothing is set to zero.
inline ZstdMemory zstd_allocate(size_t bytes) {
  return ZstdMemory(static_cast<uint8_t*>(std::malloc(bytes == 0 ? 1 : bytes)));
}

// The history that both ends hold before the first byte of a frame: the ranges one after the other, in one copy.
class ZstdPrefix {
 public:
  // False when there is no memory for it.
  bool copy(const ZstdSpans& ranges);
  void free();
  const uint8_t* data() const { return bytes_.get(); }
  size_t length() const { return length_; }

 private:
  ZstdMemory bytes_;
  size_t length_ = 0;
};

// What a call puts out, in blocks, so that growing copies nothing.
class ZstdOutput {
 public:
  // The first block has `expected` bytes, within limits. With `bytes_max` there is never room for more than that.
  explicit ZstdOutput(size_t expected, size_t bytes_max = SIZE_MAX) : next_(expected), bytes_max_(bytes_max) {}

  // Where to write next: at least one byte, unless `full()`. nullptr when there is no memory for it.
  ZSTD_outBuffer* room();
  bool full() const { return length() == bytes_max_; }
  // Whether the last block has no byte left, so that more may be waiting.
  bool used_up() const { return current_.pos == current_.size; }
  size_t length() const { return before_ + current_.pos; }
  void copy_to(uint8_t* to) const;

 private:
  struct Block {
    ZstdMemory bytes;
    size_t length;
  };

  size_t next_;
  size_t bytes_max_;
  std::vector<Block> blocks_;
  // The last block, whose length is not known yet; `before_` is the sum of the others.
  ZSTD_outBuffer current_ = {nullptr, 0, 0};
  size_t before_ = 0;
};

}  // namespace longhaul
