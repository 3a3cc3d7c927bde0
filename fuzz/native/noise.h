// Numbers and bytes from a seed (splitmix64), the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

using Bytes = std::vector<uint8_t>;

class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t mixed = state_ += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
  }

  // From 0 up to, not including, `limit`; 0 when that is nothing.
  size_t below(size_t limit) { return limit == 0 ? 0 : static_cast<size_t>(next() % limit); }

  bool one_in(size_t count) { return below(count) == 0; }

  Bytes bytes(size_t length) {
    Bytes made(length);
    for (uint8_t& byte : made) byte = static_cast<uint8_t>(next());
    return made;
  }

 private:
  uint64_t state_;
};
