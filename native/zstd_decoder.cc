#define ZSTD_STATIC_LINKING_ONLY
#include "zstd_decoder.h"

#include <zstd_errors.h>

#include <algorithm>

namespace longhaul {
namespace {

constexpr const char* kNoMemory = "not enough memory";

ZstdStatus status_of(size_t result) {
  switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
      return ZstdStatus::failed;
    case ZSTD_error_frameParameter_windowTooLarge:
      return ZstdStatus::window_too_large;
    default:
      return ZstdStatus::damaged;
  }
}

}  // namespace

ZstdOutcome ZstdDecoder::open(int window_log_max, const ZstdSpans& prefix) {
  static_assert(sizeof header_ == ZSTD_FRAMEHEADERSIZE_MAX, "a whole header");
  context_.reset(ZSTD_createDCtx());
  if (context_ == nullptr || !prefix_.copy(prefix)) return broken(ZstdStatus::failed, kNoMemory);
  window_bytes_max_ = size_t{1} << window_log_max;
  size_t result = ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, window_log_max);
  if (!ZSTD_isError(result) && prefix_.length() > 0) {
    result = ZSTD_DCtx_refPrefix(context_.get(), prefix_.data(), prefix_.length());
  }
  if (ZSTD_isError(result)) return broken(ZstdStatus::failed, ZSTD_getErrorName(result));
  memory_bytes_ = ZSTD_sizeof_DCtx(context_.get()) + prefix_.length();
  return {};
}

ZstdOutcome ZstdDecoder::decompress(const ZstdSpans& input, ZstdOutput& output, const ZstdStop& stop) {
  if (!ended_.ok()) return ended_;
  for (const ZstdSpan& span : input) {
    size_t at = 0;
    ZstdOutcome outcome = read_header(span, &at, output);
    if (!outcome.ok()) return outcome;
    while (at < span.length) {
      if (stop.stopped()) return broken(ZstdStatus::stopped, "");
      ZSTD_inBuffer step = {span.data + at, std::min(kZstdStepBytes, span.length - at), 0};
      outcome = read(step, output);
      if (!outcome.ok()) return outcome;
      at += step.pos;
    }
  }
  before_bytes_ += output.length();
  memory_bytes_ = ZSTD_sizeof_DCtx(context_.get()) + prefix_.length();
  return {};
}

// zstd is given the header, and nothing but the header, first. Where a whole frame comes in one piece it would otherwise
// decode that in one go: without a look at its window, and with other results for some that no encoder made.
ZstdOutcome ZstdDecoder::read_header(const ZstdSpan& span, size_t* at, ZstdOutput& output) {
  while (!header_read_ && *at < span.length) {
    header_[header_bytes_++] = span.data[(*at)++];
    ZSTD_FrameHeader header;
    const size_t result = ZSTD_getFrameHeader(&header, header_, header_bytes_);
    if (ZSTD_isError(result)) return broken(status_of(result), ZSTD_getErrorName(result));
    if (result > 0) continue;
    if (header.frameType != ZSTD_frame) return broken(ZstdStatus::damaged, "not a frame of data");
    if (header.windowSize > window_bytes_max_) {
      return broken(ZstdStatus::window_too_large, "the frame's window is larger than agreed");
    }
    header_read_ = true;
    content_bytes_ = header.frameContentSize;
    ZSTD_inBuffer whole = {header_, header_bytes_, 0};
    return read(whole, output);
  }
  return {};
}

// Takes in all of `input`, and puts out all that it gives.
ZstdOutcome ZstdDecoder::read(ZSTD_inBuffer& input, ZstdOutput& output) {
  if (frame_ended_) return broken(ZstdStatus::damaged, "bytes behind the end of the frame");
  for (;;) {
    ZSTD_outBuffer* room = output.room();
    if (room == nullptr) return broken(ZstdStatus::failed, kNoMemory);
    const size_t left = ZSTD_decompressStream(context_.get(), room, &input);
    if (ZSTD_isError(left)) return broken(status_of(left), ZSTD_getErrorName(left));
    if (output.full()) return broken(ZstdStatus::output_too_large, "more than the call may put out");
    if (left == 0) {
      frame_ended_ = true;
      if (content_bytes_ != ZSTD_CONTENTSIZE_UNKNOWN && content_bytes_ != before_bytes_ + output.length()) {
        return broken(ZstdStatus::damaged, "not as long as the frame says");
      }
      close();
      if (input.pos == input.size) return {};
      return broken(ZstdStatus::damaged, "bytes behind the end of the frame");
    }
    // With room left over, nothing is held back.
    if (input.pos == input.size && !output.used_up()) return {};
  }
}

ZstdOutcome ZstdDecoder::broken(ZstdStatus status, const char* reason) {
  ended_ = {status, reason};
  close();
  return ended_;
}

void ZstdDecoder::close() {
  context_.reset();
  prefix_.free();
  memory_bytes_ = 0;
}

}  // namespace longhaul
