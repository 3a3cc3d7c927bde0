// Must fail: it has a bug of each kind that a target can find, each behind a word, so that whoever steers by coverage
// comes upon one soon. Not part of a normal run.
#include <climits>
#include <cstring>

#include "check.h"
#include "input.h"

namespace {

bool starts_with(const Bytes& bytes, const char* word) {
  const size_t length = std::strlen(word);
  for (size_t at = 0; at < length; at++) {
    if (at == bytes.size() || bytes[at] != static_cast<uint8_t>(word[at])) return false;
  }
  return true;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes = Input(data, size).rest();
  volatile int sink = 0;
  if (starts_with(bytes, "read")) sink = bytes.data()[bytes.size()];
  if (starts_with(bytes, "sum")) sink = INT_MAX - 'm' + bytes[2] + static_cast<int>(size);
  check(!starts_with(bytes, "song"), "the canary sang");
  return sink * 0;
}
