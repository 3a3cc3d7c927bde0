#define ZSTD_STATIC_LINKING_ONLY
#include "zstd_pieces.h"

#include <algorithm>
#include <utility>

namespace longhaul {
namespace {

constexpr const char* kNoMemory = "not enough memory";
// What the highest levels take for a large piece is not kept for the next one.
constexpr size_t kIdleBytesMax = size_t{16} << 20;

// The least power of two that covers the prefix and the input.
int window_log_of(size_t bytes) {
  int log = ZSTD_WINDOWLOG_MIN;
  while ((size_t{1} << log) < bytes) log++;
  return log;
}

size_t compress_with(ZSTD_CCtx* context, const ZstdSpan& input, const ZstdSpan& prefix, int level, uint8_t* output,
                     size_t capacity) {
  const std::pair<ZSTD_cParameter, int> settings[] = {
      {ZSTD_c_compressionLevel, level},
      {ZSTD_c_windowLog, window_log_of(prefix.length + input.length)},
      {ZSTD_c_enableLongDistanceMatching, ZSTD_ps_disable},
      // What comes out must not depend on where in memory the prefix lies.
      {ZSTD_c_deterministicRefPrefix, 1},
  };
  for (const auto& [parameter, value] : settings) {
    const size_t result = ZSTD_CCtx_setParameter(context, parameter, value);
    if (ZSTD_isError(result)) return result;
  }
  if (prefix.length > 0) {
    const size_t result = ZSTD_CCtx_refPrefix(context, prefix.data, prefix.length);
    if (ZSTD_isError(result)) return result;
  }
  return ZSTD_compress2(context, output, capacity, input.data, input.length);
}

size_t decompress_with(ZSTD_DCtx* context, const ZstdSpan& input, const ZstdSpan& prefix, uint8_t* output,
                       size_t capacity) {
  if (prefix.length > 0) {
    const size_t result = ZSTD_DCtx_refPrefix(context, prefix.data, prefix.length);
    if (ZSTD_isError(result)) return result;
  }
  return ZSTD_decompressDCtx(context, output, capacity, input.data, input.length);
}

}  // namespace

ZstdOutcome ZstdPieces::compress(const ZstdSpan& input, const ZstdSpan& prefix, int level, ZstdMemory& output,
                                 size_t& length) {
  auto context = encoders_.take();
  if (context == nullptr) context.reset(ZSTD_createCCtx());
  const size_t capacity = ZSTD_compressBound(input.length);
  output = zstd_allocate(capacity);
  if (context == nullptr || output == nullptr) return {ZstdStatus::failed, kNoMemory};
  length = compress_with(context.get(), input, prefix, level, output.get(), capacity);
  // Nothing of this call, the prefix least of all, may be left for the next.
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  if (ZSTD_sizeof_CCtx(context.get()) <= kIdleBytesMax) encoders_.give(std::move(context));
  if (ZSTD_isError(length)) return {ZstdStatus::failed, ZSTD_getErrorName(length)};
  return {};
}

ZstdOutcome ZstdPieces::decompress(const ZstdSpan& input, const ZstdSpan& prefix, size_t bytes_max, ZstdMemory& output,
                                   size_t& length) {
  ZSTD_FrameHeader header;
  if (ZSTD_getFrameHeader(&header, input.data, input.length) != 0 || header.frameType != ZSTD_frame) {
    return {ZstdStatus::damaged, "no header of a frame"};
  }
  if (header.frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN) return {ZstdStatus::damaged, "a piece without its length"};
  if (header.frameContentSize > bytes_max) return {ZstdStatus::output_too_large, "more than the call may put out"};
  if (ZSTD_findFrameCompressedSize(input.data, input.length) != input.length) {
    return {ZstdStatus::damaged, "not exactly one frame"};
  }
  const auto capacity = static_cast<size_t>(header.frameContentSize);
  auto context = decoders_.take();
  if (context == nullptr) context.reset(ZSTD_createDCtx());
  output = zstd_allocate(capacity);
  if (context == nullptr || output == nullptr) return {ZstdStatus::failed, kNoMemory};
  length = decompress_with(context.get(), input, prefix, output.get(), capacity);
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  decoders_.give(std::move(context));
  if (ZSTD_isError(length)) return {ZstdStatus::damaged, ZSTD_getErrorName(length)};
  return {};
}

}  // namespace longhaul
