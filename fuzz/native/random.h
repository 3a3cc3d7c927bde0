// Random numbers and bytes from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

using Bytes = std::vector<uint8_t>;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  size_t below(size_t limit) { return limit == 0 ? 0 : engine_() % limit; }
  Bytes bytes(size_t length) {
    Bytes made(length);
    for (uint8_t& byte : made) byte = static_cast<uint8_t>(engine_());
    return made;
  }

 private:
  std::mt19937_64 engine_;
};

// Ends the program when it does not hold.
void check(bool holds, const char* what, uint64_t round);
