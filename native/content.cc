#include "content.h"

#include <cstring>
#include <limits>

#include "arguments.h"
#include "delta.h"
#include "digest.h"
#include "gear.h"
#include "match.h"
#include "sketch.h"
#include "xxh64.h"

namespace longhaul {
namespace {

constexpr size_t kOffsetMax = std::numeric_limits<uint32_t>::max();

View<uint32_t> offsets_of(const Info& info, size_t argument) {
  return view_of<uint32_t>(info, info[argument], napi_uint32_array, "expected a Uint32Array");
}

// Arguments 0 to 2, whose offsets fit into 32 bits.
Range narrow_range_of(const Info& info) {
  const Range range = range_of(info);
  if (range.end > kOffsetMax) refuse(info, "expected offsets of 32 bits");
  return range;
}

// By value: the caller's array may begin anywhere, and the kernels may trust this one.
Gear gear_of(const Info& info, size_t argument) {
  const View<uint32_t> fields = offsets_of(info, argument);
  if (fields.length != kGearFields) refuse(info, "expected a gear");
  Gear gear;
  std::memcpy(&gear, fields.data, sizeof gear);
  if (gear.min_bytes < kGearWindow || gear.max_bytes < gear.min_bytes) refuse(info, "expected a gear within bounds");
  return gear;
}

const uint8_t* key_of(const Info& info, size_t argument) {
  const View<uint8_t> key = bytes_of(info, info[argument]);
  if (key.length != kKeyBytes) refuse(info, "expected a key of 32 bytes");
  return key.data;
}

struct Digests {
  uint8_t* data;
  size_t each;  // bytes
  size_t count;
};

// Tags where they are 64-bit numbers, digests where they are bytes.
Digests digests_of(const Info& info, size_t argument) {
  const Napi::Value given = info[argument];
  if (given.IsTypedArray() && given.As<Napi::TypedArray>().TypedArrayType() == napi_biguint64_array) {
    const auto tags = view_of<uint64_t>(info, given, napi_biguint64_array, "");
    return {reinterpret_cast<uint8_t*>(tags.data), kTagBytes, tags.length};
  }
  const View<uint8_t> bytes = bytes_of(info, given);
  return {bytes.data, kDigestBytes, bytes.length / kDigestBytes};
}

Napi::Value number(const Info& info, size_t value) {
  return Napi::Number::New(info.Env(), static_cast<double>(value));
}

Napi::Value cut_chunks_of(const Info& info) {
  const Range range = narrow_range_of(info);
  const Gear gear = gear_of(info, 3);
  const View<uint32_t> fields = offsets_of(info, 4);
  if (fields.length < kGearStateFields || fields.data[1] >= gear.max_bytes) refuse(info, "expected a state");
  const View<uint32_t> cuts = offsets_of(info, 5);
  if (cuts.length == 0) refuse(info, "expected room for cuts");
  GearState state = {fields.data[0], fields.data[1]};
  const size_t count = cut_chunks(gear, &state, range.bytes, range.start, range.end, cuts.data, cuts.length);
  fields.data[0] = state.hash;
  fields.data[1] = state.open;
  return number(info, count);
}

Napi::Value digest_chunks_of(const Info& info) {
  const Range range = narrow_range_of(info);
  const Gear gear = gear_of(info, 3);
  const uint8_t* key = key_of(info, 4);
  const View<uint32_t> cuts = offsets_of(info, 5);
  const Digests digests = digests_of(info, 6);
  const double head = integer_of(info, info[7], static_cast<double>(range.end));
  const size_t most = cuts.length + (head > 0 ? 1 : 0);
  if (cuts.length == 0 || digests.count < most) refuse(info, "expected room for cuts and digests");
  return number(info, digest_chunks(gear, key, range.bytes, range.start, range.end, static_cast<size_t>(head),
                                    cuts.data, cuts.length, digests.data, digests.each));
}

Napi::Value sketch_of(const Info& info) {
  const Range range = narrow_range_of(info);
  const Gear gear = gear_of(info, 3);
  const View<uint32_t> features = offsets_of(info, 4);
  if (features.length < kFeatures) refuse(info, "expected room for features");
  uint32_t found[kFeatures];
  const size_t samples = sketch(gear, range.bytes, range.start, range.end, found);
  std::memcpy(features.data, found, sizeof found);
  return number(info, samples);
}

constexpr char kRangesExpected[] = "expected ranges within the bytes";

// The kernels look at every range when its turn comes: what they write could be the very memory that the ranges are in.
Napi::Value digest_ranges_of(const Info& info) {
  const View<uint8_t> bytes = bytes_of(info, info[0]);
  const View<uint32_t> ranges = offsets_of(info, 1);
  const uint8_t* key = key_of(info, 2);
  const Digests digests = digests_of(info, 3);
  const size_t count = ranges.length / 2;
  if (digests.count < count) refuse(info, "expected room for digests");
  if (!digest_ranges(key, bytes.data, bytes.length, ranges.data, count, digests.data, digests.each)) {
    refuse(info, kRangesExpected);
  }
  return info.Env().Undefined();
}

Napi::Value checksum_ranges_of(const Info& info) {
  const View<uint8_t> bytes = bytes_of(info, info[0]);
  const View<uint32_t> ranges = offsets_of(info, 1);
  const uint64_t seed = seed_of(info, 2);
  const auto sums = view_of<uint64_t>(info, info[3], napi_biguint64_array, "expected a BigUint64Array");
  const size_t count = ranges.length / 2;
  if (sums.length < count) refuse(info, "expected room for checksums");
  if (!xxh64_ranges(bytes.data, bytes.length, ranges.data, count, seed, sums.data)) refuse(info, kRangesExpected);
  return info.Env().Undefined();
}

Napi::Value xor_bytes_of(const Info& info) {
  const View<uint8_t> a = bytes_of(info, info[0]);
  const View<uint8_t> b = bytes_of(info, info[1]);
  const View<uint8_t> into = bytes_of(info, info[2]);
  if (b.length != a.length || into.length != a.length) refuse(info, "expected three of one length");
  xor_bytes(a.data, b.data, into.data, a.length);
  return info.Env().Undefined();
}

Napi::Value first_non_zero_of(const Info& info) {
  const Range range = range_of(info);
  return number(info, first_non_zero(range.bytes, range.start, range.end));
}

Napi::Value zero_runs_of(const Info& info) {
  const Range range = narrow_range_of(info);
  const double min_bytes = integer_of(info, info[3], static_cast<double>(kOffsetMax));
  const View<uint32_t> runs = offsets_of(info, 4);
  if (min_bytes < 1 || runs.length < 2) refuse(info, "expected a length and room for runs");
  return number(info, zero_runs(range.bytes, range.start, range.end, static_cast<size_t>(min_bytes), runs.data,
                                runs.length / 2));
}

Napi::Value match_bytes_of(const Info& info) {
  const View<uint8_t> base = bytes_of(info, info[0]);
  const View<uint8_t> target = bytes_of(info, info[1]);
  if (base.length > kOffsetMax || target.length > kOffsetMax) refuse(info, "expected offsets of 32 bits");
  const double start = integer_of(info, info[2], static_cast<double>(target.length));
  const View<uint32_t> matches = offsets_of(info, 3);
  if (matches.length < kMatchFields) refuse(info, "expected room for matches");
  return number(info, match_bytes(base.data, base.length, target.data, target.length, static_cast<size_t>(start),
                                  matches.data, matches.length / kMatchFields));
}

}  // namespace

void export_content(Napi::Env env, Napi::Object exports) {
  exports["cutChunks"] = Napi::Function::New(env, cut_chunks_of, "cutChunks");
  exports["digestChunks"] = Napi::Function::New(env, digest_chunks_of, "digestChunks");
  exports["sketch"] = Napi::Function::New(env, sketch_of, "sketch");
  exports["digestRanges"] = Napi::Function::New(env, digest_ranges_of, "digestRanges");
  exports["checksumRanges"] = Napi::Function::New(env, checksum_ranges_of, "checksumRanges");
  exports["xorBytes"] = Napi::Function::New(env, xor_bytes_of, "xorBytes");
  exports["firstNonZero"] = Napi::Function::New(env, first_non_zero_of, "firstNonZero");
  exports["zeroRuns"] = Napi::Function::New(env, zero_runs_of, "zeroRuns");
  exports["matchBytes"] = Napi::Function::New(env, match_bytes_of, "matchBytes");
}

}  // namespace longhaul
