#define ZSTD_STATIC_LINKING_ONLY
#include "zstd_encoder.h"

#include <algorithm>
#include <climits>
#include <utility>

namespace longhaul {
namespace {

constexpr const char* kNoMemory = "not enough memory";

// The first error of a list of settings, or 0.
size_t configure(ZSTD_CCtx* context, const ZstdEncoderOptions& options) {
  const std::pair<ZSTD_cParameter, int> settings[] = {
      {ZSTD_c_compressionLevel, options.level},
      {ZSTD_c_windowLog, options.window_log},
      {ZSTD_c_enableLongDistanceMatching, options.long_distance ? ZSTD_ps_enable : ZSTD_ps_disable},
      {ZSTD_c_checksumFlag, options.checksum ? 1 : 0},
      // Without it a short prefix would have zstd expect a short frame, and choose small tables for good.
      {ZSTD_c_srcSizeHint, INT_MAX},
      // What comes out must not depend on where in memory the prefix lies.
      {ZSTD_c_deterministicRefPrefix, 1},
  };
  for (const auto& [parameter, value] : settings) {
    const size_t result = ZSTD_CCtx_setParameter(context, parameter, value);
    if (ZSTD_isError(result)) return result;
  }
  return 0;
}

}  // namespace

ZstdOutcome ZstdEncoder::open(const ZstdEncoderOptions& options, const ZstdSpans& prefix) {
  context_.reset(ZSTD_createCCtx());
  if (context_ == nullptr || !prefix_.copy(prefix)) return broken(kNoMemory);
  size_t result = configure(context_.get(), options);
  if (!ZSTD_isError(result) && prefix_.length() > 0) {
    result = ZSTD_CCtx_refPrefix(context_.get(), prefix_.data(), prefix_.length());
  }
  if (ZSTD_isError(result)) return broken(ZSTD_getErrorName(result));
  // Nothing goes in or comes out yet, but from here on the tables are there and the prefix is in them.
  uint8_t nothing[1];
  ZSTD_inBuffer input = {nothing, 0, 0};
  ZSTD_outBuffer output = {nothing, 0, 0};
  result = ZSTD_compressStream2(context_.get(), &output, &input, ZSTD_e_continue);
  if (ZSTD_isError(result)) return broken(ZSTD_getErrorName(result));
  memory_bytes_ = ZSTD_sizeof_CCtx(context_.get()) + prefix_.length();
  return {};
}

ZstdOutcome ZstdEncoder::compress(const ZstdSpans& input, ZstdOutput& output, const ZstdStop& stop) {
  if (!ended_.ok()) return ended_;
  for (const ZstdSpan& span : input) {
    for (size_t at = 0; at < span.length; at += kZstdStepBytes) {
      if (stop.stopped()) return broken("", ZstdStatus::stopped);
      const ZSTD_inBuffer step = {span.data + at, std::min(kZstdStepBytes, span.length - at), 0};
      const ZstdOutcome outcome = write(step, ZSTD_e_continue, output);
      if (!outcome.ok()) return outcome;
    }
  }
  return write({nullptr, 0, 0}, ZSTD_e_flush, output);
}

ZstdOutcome ZstdEncoder::end(ZstdOutput& output) {
  if (!ended_.ok()) return ended_;
  const ZstdOutcome outcome = write({nullptr, 0, 0}, ZSTD_e_end, output);
  if (outcome.ok()) broken("the frame has ended");
  return outcome;
}

ZstdOutcome ZstdEncoder::write(ZSTD_inBuffer input, ZSTD_EndDirective directive, ZstdOutput& output) {
  for (;;) {
    ZSTD_outBuffer* room = output.room();
    if (room == nullptr) return broken(kNoMemory);
    const size_t left = ZSTD_compressStream2(context_.get(), room, &input, directive);
    if (ZSTD_isError(left)) return broken(ZSTD_getErrorName(left));
    const bool done = directive == ZSTD_e_continue ? input.pos == input.size : left == 0;
    if (done) return {};
  }
}

ZstdOutcome ZstdEncoder::broken(const char* reason, ZstdStatus status) {
  ended_ = {status, reason};
  close();
  return ended_;
}

void ZstdEncoder::close() {
  context_.reset();
  prefix_.free();
  memory_bytes_ = 0;
}

}  // namespace longhaul
