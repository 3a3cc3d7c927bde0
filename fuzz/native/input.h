// What the bytes of a fuzzer mean: numbers and stretches of content, taken one after the other. Where they have run out
// everything is zero, so that every input means something.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "noise.h"

class Input {
 public:
  Input(const uint8_t* data, size_t length) : at_(data), left_(length) {}

  size_t left() const { return left_; }

  uint8_t byte() {
    if (left_ == 0) return 0;
    left_--;
    return *at_++;
  }

  bool flag() { return byte() % 2 == 1; }

  // Of so many bytes, the lowest first.
  uint64_t number(int bytes) {
    uint64_t value = 0;
    for (int index = 0; index < bytes; index++) value |= uint64_t{byte()} << (8 * index);
    return value;
  }

  // From 0 up to, not including, `limit`.
  size_t below(size_t limit) {
    int bytes = 1;
    while (bytes < 8 && limit > uint64_t{1} << (8 * bytes)) bytes++;
    return limit == 0 ? 0 : static_cast<size_t>(number(bytes) % limit);
  }

  // The next bytes as they are, as many as there are of `length`.
  Bytes bytes(size_t length) {
    length = std::min(length, left_);
    const Bytes taken(at_, at_ + length);
    at_ += length;
    left_ -= length;
    return taken;
  }

  Bytes rest() { return bytes(left_); }

  // Few bytes may mean a lot of content: literals, zeros, noise and repetitions in turn, up to an end or `length_max`.
  // It lies in memory of exactly its length, as all that is handed to a kernel does, so that a byte beside it is caught.
  Bytes content(size_t length_max) {
    Bytes made;
    while (left_ > 0 && made.size() < length_max) {
      const uint8_t word = byte();
      if (word % 8 == 7) break;
      append(made, word % 8, word / 8, length_max - made.size());
    }
    return Bytes(made);
  }

 private:
  void append(Bytes& made, int kind, size_t size, size_t room) {
    if (kind < 3) {
      const Bytes literal = bytes(std::min(room, 1 + size));
      made.insert(made.end(), literal.begin(), literal.end());
      return;
    }
    const size_t length = std::min(room, static_cast<size_t>(number(2)) << size % 4);
    const size_t before = made.size();
    if (kind == 3) {
      made.resize(before + length);
    } else if (kind == 4) {
      const Bytes noise = Noise(byte()).bytes(length);
      made.insert(made.end(), noise.begin(), noise.end());
    } else if (before > 0) {
      const size_t distance = 1 + below(before);
      for (size_t index = 0; index < length; index++) made.push_back(made[made.size() - distance]);
    }
  }

  const uint8_t* at_;
  size_t left_;
};

// Bytes that start anywhere, not only where memory is aligned, and end exactly where their memory does.
class Placed {
 public:
  Placed(const Bytes& bytes, size_t lead) : lead_(lead), room_(lead + bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), room_.begin() + static_cast<ptrdiff_t>(lead));
  }

  uint8_t* data() { return room_.data() + lead_; }
  size_t size() const { return room_.size() - lead_; }
  Bytes bytes() const { return Bytes(room_.begin() + static_cast<ptrdiff_t>(lead_), room_.end()); }

 private:
  size_t lead_;
  Bytes room_;
};

// One input as a fuzzer gives it; 0 as libFuzzer wants it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
