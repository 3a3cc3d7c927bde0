// Input and output of the codec for targets.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../../native/zstd_call.h"
#include "input.h"

// Fires after some questions, or never.
class Countdown : public longhaul::ZstdStop {
 public:
  explicit Countdown(size_t questions = 0) : left_(questions == 0 ? SIZE_MAX : questions) {}
  bool stopped() const override { return left_ == 0 || --left_ == 0; }

 private:
  mutable size_t left_;
};

// The same bytes in spans, each in memory of its own.
class Spans {
 public:
  Spans(const Bytes& whole, Noise& noise) {
    for (size_t at = 0; at < whole.size();) {
      const size_t length_max = noise.one_in(2) ? 5 : noise.one_in(2) ? 100 : 9000;
      const size_t length = std::min(whole.size() - at, noise.below(length_max));
      const auto from = whole.begin() + static_cast<ptrdiff_t>(at);
      parts_.emplace_back(from, from + static_cast<ptrdiff_t>(length));
      at += length;
    }
    for (const Bytes& part : parts_) spans.push_back({part.data(), part.size()});
  }

  longhaul::ZstdSpans spans;

 private:
  std::vector<Bytes> parts_;
};

inline longhaul::ZstdSpan span_of(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }

inline Bytes taken(const longhaul::ZstdOutput& output) {
  Bytes bytes(output.length());
  output.copy_to(bytes.data());
  return bytes;
}

inline void append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
