// The codec under AddressSanitizer, without Node: zstd <seed> <rounds>.
//
// Every stretch of memory is exactly as long as it says, so that a read or write beside it is caught. A failed check
// names the round; the seed replays it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "../../native/zstd_decoder.h"
#include "../../native/zstd_encoder.h"
#include "../../native/zstd_pieces.h"

namespace {

using longhaul::ZstdOutcome;
using longhaul::ZstdOutput;
using longhaul::ZstdSpans;
using longhaul::ZstdStatus;
using Bytes = std::vector<uint8_t>;

constexpr int kWindowLogMax = 20;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  size_t below(size_t limit) { return limit == 0 ? 0 : engine_() % limit; }
  bool chance(size_t one_in) { return below(one_in) == 0; }

  // Something between noise and one byte for ever.
  Bytes bytes(size_t length) {
    Bytes made;
    made.reserve(length);
    while (made.size() < length) {
      const size_t run = std::min(length - made.size(), 1 + below(200));
      if (made.empty() || chance(3)) {
        for (size_t index = 0; index < run; index++) made.push_back(static_cast<uint8_t>(engine_() % 64));
      } else {
        const size_t from = below(made.size());
        for (size_t index = 0; index < run; index++) made.push_back(made[from + index]);
      }
    }
    return made;
  }

 private:
  std::mt19937_64 engine_;
};

// Fires after some questions, or never.
class Countdown : public longhaul::ZstdStop {
 public:
  explicit Countdown(size_t questions) : left_(questions) {}
  bool stopped() const override { return left_ == 0 || --left_ == 0; }

 private:
  mutable size_t left_;
};

const Countdown never(SIZE_MAX);

void check(bool holds, const char* what, uint64_t round) {
  if (holds) return;
  std::fprintf(stderr, "round %llu: %s\n", static_cast<unsigned long long>(round), what);
  std::exit(1);
}

// The same bytes in pieces, each with memory of its own.
class Pieces {
 public:
  Pieces(const Bytes& whole, Random& random) {
    for (size_t at = 0; at < whole.size();) {
      const size_t length = std::min(whole.size() - at, random.below(random.chance(2) ? 5 : 9000));
      const auto from = whole.begin() + static_cast<ptrdiff_t>(at);
      parts_.emplace_back(from, from + static_cast<ptrdiff_t>(length));
      at += length;
    }
    for (Bytes& part : parts_) part.shrink_to_fit();
    for (const Bytes& part : parts_) spans.push_back({part.data(), part.size()});
  }

  ZstdSpans spans;

 private:
  std::vector<Bytes> parts_;
};

Bytes taken(const ZstdOutput& output) {
  Bytes bytes(output.length());
  output.copy_to(bytes.data());
  return bytes;
}

Bytes damaged(Bytes bytes, Random& random) {
  for (size_t times = 1 + random.below(3); times > 0 && !bytes.empty(); times--) {
    bytes[random.below(random.chance(2) ? std::min<size_t>(bytes.size(), 30) : bytes.size())] ^=
        static_cast<uint8_t>(1 + random.below(255));
  }
  if (random.chance(4)) bytes.resize(random.below(bytes.size() + 1));
  if (random.chance(4)) {
    const Bytes more = random.bytes(random.below(100));
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  bytes.shrink_to_fit();
  return bytes;
}

// What an encoder makes of some calls, each of which a decoder at its side must understand.
Bytes sound_stream(const Bytes& prefix, Random& random, uint64_t round) {
  const Pieces ranges(prefix, random);
  longhaul::ZstdEncoder encoder;
  longhaul::ZstdDecoder decoder;
  const int window_log = 15 + static_cast<int>(random.below(6));
  const longhaul::ZstdEncoderOptions options = {1 + static_cast<int>(random.below(5)), window_log, random.chance(2),
                                                random.chance(2)};
  check(encoder.open(options, ranges.spans).ok(), "an encoder opens", round);
  check(decoder.open(window_log, ranges.spans).ok(), "a decoder opens", round);
  Bytes frame;
  for (size_t calls = random.below(5); calls > 0; calls--) {
    const Bytes input = random.bytes(random.below(random.chance(4) ? 300'000 : 5000));
    ZstdOutput packed(random.below(10'000));
    check(encoder.compress(Pieces(input, random).spans, packed, never).ok(), "input is compressed", round);
    const Bytes part = taken(packed);
    frame.insert(frame.end(), part.begin(), part.end());
    ZstdOutput unpacked(random.below(10'000), input.size() + 1);
    check(decoder.decompress(Pieces(part, random).spans, unpacked, never).ok(), "output is decompressed", round);
    check(taken(unpacked) == input, "what comes out is what went in", round);
  }
  ZstdOutput end(0);
  check(encoder.end(end).ok() && encoder.memory_bytes() == 0, "a frame ends", round);
  const Bytes last = taken(end);
  ZstdOutput nothing(0, 1);
  check(decoder.decompress(Pieces(last, random).spans, nothing, never).ok(), "and so does the decoder", round);
  check(decoder.memory_bytes() == 0 && nothing.length() == 0, "with nothing left", round);
  frame.insert(frame.end(), last.begin(), last.end());
  return frame;
}

void broken_stream(const Bytes& frame, const Bytes& prefix, Random& random, uint64_t round) {
  longhaul::ZstdDecoder decoder;
  const Pieces ranges(random.chance(3) ? Bytes() : prefix, random);
  check(decoder.open(static_cast<int>(10 + random.below(kWindowLogMax - 9)), ranges.spans).ok(), "it opens", round);
  const Bytes input = damaged(frame, random);
  const size_t bytes_max = random.below(random.chance(2) ? 100 : 1'000'000);
  const Countdown stop(random.chance(5) ? 1 + random.below(5) : SIZE_MAX);
  ZstdOutcome before;
  for (int call = 0; call < 3; call++) {
    ZstdOutput output(random.below(1000), bytes_max + 1);
    const ZstdOutcome outcome = decoder.decompress(Pieces(input, random).spans, output, stop);
    check(output.length() <= bytes_max + (outcome.ok() ? 0 : 1), "the output is bounded", round);
    check(before.ok() || outcome.status == before.status, "an error is the end", round);
    check(outcome.ok() || decoder.memory_bytes() == 0, "which frees the memory", round);
    taken(output);
    before = outcome;
  }
}

void pieces(longhaul::ZstdPieces& codec, const Bytes& prefix, Random& random, uint64_t round) {
  const Bytes input = random.bytes(random.below(20'000));
  const longhaul::ZstdSpan base = {prefix.data(), prefix.size()};
  longhaul::ZstdMemory memory;
  size_t length = 0;
  const int level = 1 + static_cast<int>(random.below(4));
  check(codec.compress({input.data(), input.size()}, base, level, memory, length).ok(), "a piece is compressed", round);
  const Bytes frame(memory.get(), memory.get() + length);
  check(codec.decompress({frame.data(), frame.size()}, base, input.size(), memory, length).ok(), "and back", round);
  check(Bytes(memory.get(), memory.get() + length) == input, "as it was", round);
  const Bytes other = damaged(frame, random);
  const size_t bytes_max = random.below(40'000);
  const ZstdOutcome outcome = codec.decompress({other.data(), other.size()}, base, bytes_max, memory, length);
  check(!outcome.ok() || length <= bytes_max, "a damaged piece is bounded too", round);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  Random random(std::strtoull(arguments[1], nullptr, 10));
  const uint64_t rounds = std::strtoull(arguments[2], nullptr, 10);
  longhaul::ZstdPieces codec;
  for (uint64_t round = 0; round < rounds; round++) {
    const Bytes prefix = random.bytes(random.chance(3) ? 0 : random.below(20'000));
    const Bytes frame = sound_stream(prefix, random, round);
    for (int times = 0; times < 5; times++) broken_stream(frame, prefix, random, round);
    pieces(codec, prefix, random, round);
  }
  std::printf("%llu rounds\n", static_cast<unsigned long long>(rounds));
  return 0;
}
