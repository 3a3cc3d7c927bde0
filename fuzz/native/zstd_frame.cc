#define ZSTD_STATIC_LINKING_ONLY
#include "zstd_frame.h"

#include "../../native/zstd_decoder.h"
#include "../../native/zstd_pieces.h"
#include "check.h"
#include "zstd_spans.h"

namespace {

using longhaul::ZstdDecoder;
using longhaul::ZstdOutcome;
using longhaul::ZstdOutput;
using longhaul::ZstdSpans;
using longhaul::ZstdStatus;

// More than a block, and no more than can be decoded several times over.
constexpr size_t kBytesMax = size_t{256} << 10;
// What a decoder takes besides window and prefix: its tables, a block that comes in, a block that goes out.
constexpr size_t kDecoderBytes = size_t{512} << 10;

struct Decoded {
  ZstdOutcome outcome;
  Bytes bytes;
  bool ended;

  bool operator==(const Decoded& other) const { return bytes == other.bytes && ended == other.ended; }
};

// Frames and what they refer to.
class Case {
 public:
  Case(const Bytes& frame, const Bytes& prefix, const FrameLimits& limits)
      : frame_(frame), prefix_(prefix), limits_(limits) {}

  // In one call, or a call for each span.
  Decoded decode(const ZstdSpans& spans, size_t spans_a_call, size_t bytes_max) const {
    Noise noise(prefix_.size());
    ZstdDecoder decoder;
    check(decoder.open(limits_.window_log_max, Spans(prefix_, noise).spans).ok(), "a decoder opens");
    Decoded all = {};
    for (size_t at = 0; at < spans.size() && all.outcome.ok() && all.bytes.size() <= bytes_max; at += spans_a_call) {
      const auto from = spans.begin() + static_cast<ptrdiff_t>(at);
      const ZstdSpans given(from, from + static_cast<ptrdiff_t>(std::min(spans_a_call, spans.size() - at)));
      ZstdOutput output(noise.below(1000), bytes_max + 1);
      all.outcome = decoder.decompress(given, output, Countdown());
      check(output.length() <= bytes_max + (all.outcome.ok() ? 0 : 1), "the output is bounded");
      append(all.bytes, taken(output));
      check_memory(decoder, all.outcome);
    }
    all.ended = all.outcome.ok() && decoder.memory_bytes() == 0;
    check_after(decoder, all);
    return all;
  }

  void stop_and_close(const ZstdSpans& spans) const {
    ZstdDecoder decoder;
    check(decoder.open(limits_.window_log_max, {}).ok(), "a decoder opens");
    ZstdOutput output(0, kBytesMax + 1);
    const ZstdOutcome outcome = decoder.decompress(spans, output, Countdown(limits_.stops_after));
    check(outcome.status != ZstdStatus::stopped || decoder.memory_bytes() == 0, "stopping frees the memory");
    decoder.close();
    check(decoder.memory_bytes() == 0, "a decoder that is closed keeps nothing");
  }

  // What the header says; false where there is none.
  bool header(ZSTD_FrameHeader* said) const { return ZSTD_getFrameHeader(said, frame_.data(), frame_.size()) == 0; }

  void check_sound(const Decoded& whole) const {
    ZSTD_FrameHeader said;
    if (!header(&said)) return;
    check(said.windowSize <= uint64_t{1} << limits_.window_log_max, "the window is as small as was agreed");
    check(!whole.ended || said.frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN ||
              said.frameContentSize == whole.bytes.size(),
          "the frame is as long as it says");
  }

 private:
  void check_memory(const ZstdDecoder& decoder, const ZstdOutcome& outcome) const {
    const size_t bytes = decoder.memory_bytes();
    check(outcome.ok() || bytes == 0, "an error frees the memory");
    check(bytes <= prefix_.size() + (size_t{1} << limits_.window_log_max) + kDecoderBytes, "memory is bounded");
  }

  static void check_after(ZstdDecoder& decoder, const Decoded& all) {
    ZstdOutput more(0, 1);
    const ZstdOutcome again = decoder.decompress({}, more, Countdown());
    check(again.status == all.outcome.status && more.length() == 0, "an error is the end, and nothing gives nothing");
    if (!all.ended) return;
    const Bytes byte(1);
    check(decoder.decompress({span_of(byte)}, more, Countdown()).status == ZstdStatus::damaged,
          "nothing comes behind the end");
  }

  const Bytes& frame_;
  const Bytes& prefix_;
  const FrameLimits& limits_;
};

uint64_t seed_of(const Bytes& bytes) {
  uint64_t seed = 0;
  for (const uint8_t byte : bytes) seed = Noise(seed + byte).next();
  return seed;
}

// All frames of one process share these, as all pieces of a server do.
longhaul::ZstdPieces pieces;

void stand_piece(const Case& given, const Bytes& frame, const Bytes& prefix, const Decoded& whole, size_t bytes_max) {
  longhaul::ZstdMemory memory;
  size_t length = 0;
  if (!pieces.decompress(span_of(frame), span_of(prefix), bytes_max, memory, length).ok()) return;
  check(length <= bytes_max, "a piece is bounded");
  // A piece is decoded in one go, so that what refers to before the window finds something there.
  ZSTD_FrameHeader header;
  check(given.header(&header), "a piece has a header");
  if (!whole.ended || length > header.windowSize) return;
  check(whole.bytes == Bytes(memory.get(), memory.get() + length), "a piece is what a stream gives");
}

}  // namespace

void stand_frame(const Bytes& frame, const Bytes& prefix, const FrameLimits& limits) {
  // Every change to a frame has it cut elsewhere.
  Noise noise(seed_of(frame));
  const Spans slices(frame, noise);
  const Case given(frame, prefix, limits);
  const Decoded whole = given.decode({span_of(frame)}, 1, kBytesMax);
  const bool sound = whole.outcome.ok();
  const bool too_large = whole.outcome.status == ZstdStatus::output_too_large;
  if (sound) given.check_sound(whole);

  const Decoded spans = given.decode(slices.spans, slices.spans.size() + 1, kBytesMax);
  check(spans.outcome.status == whole.outcome.status && (!sound || spans == whole), "slices make no difference");
  const Decoded calls = given.decode(slices.spans, 1, kBytesMax);
  check(too_large || calls.outcome.ok() == sound, "nor do calls to whether it is sound");
  check(!sound || calls == whole, "nor to anything");

  const size_t bytes_max = sound ? whole.bytes.size() - std::min(whole.bytes.size(), limits.bytes_less) : limits.bytes_max;
  const Decoded bounded = given.decode({span_of(frame)}, 1, bytes_max);
  const bool enough = sound && whole.bytes.size() <= bytes_max;
  check(bounded.outcome.ok() == enough, "exactly enough is enough");
  check(!sound || enough || bounded.outcome.status == ZstdStatus::output_too_large, "and less is too little");
  if (limits.stops_after > 0) given.stop_and_close(slices.spans);
  stand_piece(given, frame, prefix, whole, bytes_max);
}
