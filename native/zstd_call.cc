#include "zstd_call.h"

#include <algorithm>
#include <cstring>

namespace longhaul {
namespace {

constexpr size_t kBlockBytesMin = 512;
constexpr size_t kBlockBytesMax = size_t{256} << 10;

}  // namespace

bool ZstdPrefix::copy(const ZstdSpans& ranges) {
  const size_t length = length_of(ranges);
  bytes_ = zstd_allocate(length);
  if (bytes_ == nullptr) return false;
  for (const ZstdSpan& range : ranges) {
    if (range.length > 0) std::memcpy(bytes_.get() + length_, range.data, range.length);
    length_ += range.length;
  }
  return true;
}

void ZstdPrefix::free() {
  bytes_.reset();
  length_ = 0;
}

ZSTD_outBuffer* ZstdOutput::room() {
  if (!used_up()) return &current_;
  const size_t length = std::min(std::clamp(next_, kBlockBytesMin, kBlockBytesMax), bytes_max_ - this->length());
  ZstdMemory bytes = zstd_allocate(length);
  if (bytes == nullptr) return nullptr;
  before_ += current_.pos;
  if (!blocks_.empty()) blocks_.back().length = current_.pos;
  current_ = {bytes.get(), length, 0};
  blocks_.push_back({std::move(bytes), 0});
  next_ = kBlockBytesMax;
  return &current_;
}

void ZstdOutput::copy_to(uint8_t* to) const {
  for (const Block& block : blocks_) {
    const size_t length = &block == &blocks_.back() ? current_.pos : block.length;
    if (length > 0) std::memcpy(to, block.bytes.get(), length);
    to += length;
  }
}

}  // namespace longhaul
