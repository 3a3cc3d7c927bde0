#include "digest.h"

#include "blake3.h"

namespace longhaul {

void digest(const uint8_t key[kKeyBytes], const uint8_t* bytes, size_t length, uint8_t* out, size_t out_bytes) {
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, key);
  blake3_hasher_update(&hasher, bytes, length);
  blake3_hasher_finalize(&hasher, out, out_bytes);
}

namespace {

// The digest of the first `head` bytes as well, in one pass.
void digest_twice(const uint8_t key[kKeyBytes], const uint8_t* bytes, size_t head, size_t length, uint8_t* head_out,
                  uint8_t* out, size_t out_bytes) {
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, key);
  blake3_hasher_update(&hasher, bytes, head);
  blake3_hasher_finalize(&hasher, head_out, out_bytes);
  blake3_hasher_update(&hasher, bytes + head, length - head);
  blake3_hasher_finalize(&hasher, out, out_bytes);
}

}  // namespace

bool digest_ranges(const uint8_t key[kKeyBytes], const uint8_t* bytes, size_t length, const uint32_t* ranges,
                   size_t count, uint8_t* out, size_t out_bytes) {
  for (size_t index = 0; index < count; index++) {
    const uint32_t from = ranges[2 * index];
    const uint32_t to = ranges[2 * index + 1];
    if (from > to || to > length) return false;
    digest(key, bytes + from, to - from, out + index * out_bytes, out_bytes);
  }
  return true;
}

size_t digest_chunks(const Gear& gear, const uint8_t key[kKeyBytes], const uint8_t* bytes, size_t start, size_t end,
                     size_t head, uint32_t* cuts, size_t cuts_max, uint8_t* out, size_t out_bytes) {
  Cutter cutter(gear, {0, 0}, bytes, start, end);
  size_t count = 0;
  for (size_t from = start; from < end && count < cuts_max; count++) {
    size_t cut = end;
    if (!cutter.next(&cut)) cut = end;
    uint8_t* const own = out + count * out_bytes;
    if (cut == end && from < head) {
      digest_twice(key, bytes + from, head - from, cut - from, own + out_bytes, own, out_bytes);
    } else {
      digest(key, bytes + from, cut - from, own, out_bytes);
    }
    cuts[count] = static_cast<uint32_t>(cut);
    from = cut;
  }
  return count;
}

}  // namespace longhaul
