// What goes through an encoder and a decoder comes out as it went in, call by call; so do pieces. The frame that it made,
// with some bytes changed, is as good as any other for the decoders.
#include "../../native/zstd_decoder.h"
#include "../../native/zstd_encoder.h"
#include "../../native/zstd_pieces.h"
#include "check.h"
#include "zstd_frame.h"
#include "zstd_spans.h"

namespace {

using longhaul::ZstdOutput;

constexpr size_t kCallsMax = 5;
constexpr size_t kCallMax = 20'000;
// More than a step of zstd's, now and then.
constexpr size_t kLargeCallMax = 300'000;

struct Settings {
  longhaul::ZstdEncoderOptions encoder;
  uint64_t slices;
  size_t calls;
  bool large;
};

Settings settings_of(Input& input) {
  Settings settings = {};
  settings.encoder.level = 1 + static_cast<int>(input.below(5));
  settings.encoder.window_log = 10 + static_cast<int>(input.below(9));
  settings.encoder.long_distance = input.flag();
  settings.encoder.checksum = input.flag();
  settings.slices = input.byte();
  settings.calls = input.below(kCallsMax);
  settings.large = input.byte() % 32 == 31;
  return settings;
}

// What an encoder makes of some calls, each of which a decoder at its side must understand.
Bytes sound_frame(Input& input, const Settings& settings, const Bytes& prefix) {
  Noise noise(settings.slices);
  const Spans ranges(prefix, noise);
  const Countdown never;
  longhaul::ZstdEncoder encoder;
  longhaul::ZstdDecoder decoder;
  check(encoder.open(settings.encoder, ranges.spans).ok(), "an encoder opens");
  check(decoder.open(settings.encoder.window_log, ranges.spans).ok(), "a decoder opens");
  const size_t memory = encoder.memory_bytes();
  Bytes frame;
  for (size_t call = 0; call < settings.calls; call++) {
    const Bytes given = input.content(settings.large ? kLargeCallMax : kCallMax);
    ZstdOutput packed(noise.below(10'000));
    check(encoder.compress(Spans(given, noise).spans, packed, never).ok(), "input is compressed");
    const Bytes part = taken(packed);
    append(frame, part);
    ZstdOutput unpacked(noise.below(10'000), given.size() + 1);
    check(decoder.decompress(Spans(part, noise).spans, unpacked, never).ok(), "output is decompressed");
    check(taken(unpacked) == given, "what comes out is what went in");
  }
  check(encoder.memory_bytes() == memory, "an encoder takes its memory when it opens");
  ZstdOutput end(0);
  check(encoder.end(end).ok() && encoder.memory_bytes() == 0, "a frame ends");
  const Bytes last = taken(end);
  ZstdOutput nothing(0, 1);
  check(decoder.decompress(Spans(last, noise).spans, nothing, never).ok(), "and so does the decoder");
  check(decoder.memory_bytes() == 0 && nothing.length() == 0, "with nothing left");
  append(frame, last);
  return frame;
}

longhaul::ZstdPieces pieces;

// There and back; the result is the piece's frame.
Bytes sound_piece(const Bytes& given, const Bytes& prefix, int level) {
  longhaul::ZstdMemory memory;
  size_t length = 0;
  check(pieces.compress(span_of(given), span_of(prefix), level, memory, length).ok(), "a piece is compressed");
  const Bytes frame(memory.get(), memory.get() + length);
  check(pieces.decompress(span_of(frame), span_of(prefix), given.size(), memory, length).ok(), "and back");
  check(Bytes(memory.get(), memory.get() + length) == given, "as it was");
  const bool refused = given.empty() ||
                       pieces.decompress(span_of(frame), span_of(prefix), given.size() - 1, memory, length).status ==
                           longhaul::ZstdStatus::output_too_large;
  check(refused, "a piece that is larger than agreed is refused");
  return frame;
}

Bytes damaged(Input& input, Bytes frame) {
  for (size_t times = input.below(4); times > 0; times--) {
    const size_t place = input.flag() ? input.below(32) : input.below(65'536);
    frame[place % frame.size()] ^= input.byte();
  }
  if (input.flag()) frame.resize(input.below(frame.size() + 1));
  append(frame, input.bytes(input.below(40)));
  return Bytes(frame);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const Settings settings = settings_of(input);
  const Bytes prefix = input.content(input.flag() ? kCallMax : 0);
  const Bytes frame = sound_frame(input, settings, prefix);
  const Bytes piece = sound_piece(input.content(kCallMax), prefix, settings.encoder.level);
  FrameLimits limits = {};
  limits.window_log_max = 10 + static_cast<int>(input.below(12));
  limits.bytes_max = input.below(65'536);
  limits.bytes_less = input.below(3);
  limits.stops_after = input.below(4);
  const bool keep_prefix = input.flag();
  const bool of_piece = input.flag();
  stand_frame(damaged(input, of_piece ? piece : frame), keep_prefix ? prefix : Bytes(), limits);
  return 0;
}
