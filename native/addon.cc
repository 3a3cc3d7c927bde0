// What JavaScript sees; content.cc, tuning.cc and zstd_codec.cc have the rest of it. With arguments.h and bridge.h they are the only
// files that know Node; src/engine/native.ts has the types.
//
// The TypeScript side has checked the arguments kindly. They are checked again here, tersely: whatever is passed, the
// answer is an exception and never a crash.
#include <napi.h>

#include <limits>
#include <memory>

#include "arguments.h"
#include "bridge.h"
#include "content.h"
#include "records.h"
#include "spans.h"
#include "tuning.h"
#include "xxh64.h"
#include "zstd_codec.h"

namespace {

using longhaul::bytes_of;
using longhaul::descriptor_of;
using longhaul::Info;
using longhaul::integer_in;
using longhaul::integer_of;
using longhaul::kSafeIntegerMax;
using longhaul::Range;
using longhaul::range_of;
using longhaul::refuse;
using longhaul::View;
using longhaul::view_of;

// Argument 3: the fields of `state`.
uint64_t* state_of(const Info& info, size_t fields) {
  const auto state = view_of<uint64_t>(info, info[3], napi_biguint64_array, "expected a BigUint64Array");
  if (state.length < fields) refuse(info, "expected a longer state");
  return state.data;
}

Napi::Value checksum64(const Info& info) {
  const View<uint8_t> bytes = bytes_of(info, info[0]);
  return Napi::BigInt::New(info.Env(), longhaul::xxh64(bytes.data, bytes.length, longhaul::seed_of(info, 1)));
}

// The parts lie one behind the other.
Napi::Value checksum_parts(const Info& info) {
  if (!info[0].IsArray()) refuse(info, "expected an array of Uint8Array");
  const auto parts = info[0].As<Napi::Array>();
  longhaul::Xxh64 checksum(longhaul::seed_of(info, 1));
  for (uint32_t index = 0; index < parts.Length(); index++) {
    const View<uint8_t> bytes = bytes_of(info, parts.Get(index));
    checksum.update(bytes.data, bytes.length);
  }
  return Napi::BigInt::New(info.Env(), checksum.digest());
}

// Memory that others see too, or that cannot be taken away, stays as it is.
Napi::Value discard(const Info& info) {
  napi_value memory;
  size_t length = 0;
  size_t offset = 0;
  const napi_status status =
      napi_get_typedarray_info(info.Env(), info[0], nullptr, &length, nullptr, &memory, &offset);
  if (status != napi_ok) refuse(info, "expected a Uint8Array");
  size_t whole = 0;
  const bool is_whole = napi_get_arraybuffer_info(info.Env(), memory, nullptr, &whole) == napi_ok && offset == 0 &&
                        length == whole && length > 0;
  return Napi::Boolean::New(info.Env(), is_whole && napi_detach_arraybuffer(info.Env(), memory) == napi_ok);
}

Napi::Value page_offset(const Info& info) {
  constexpr uintptr_t kPage = 4096;
  return Napi::Number::New(info.Env(), static_cast<double>(reinterpret_cast<uintptr_t>(bytes_of(info, info[0]).data) % kPage));
}

// How many records were sealed, or -1 less the place of one that is malformed.
Napi::Value seal_records(const Info& info) {
  const Range range = range_of(info);
  const longhaul::Sealed sealed =
      longhaul::seal_records(range.bytes, range.start, range.end, state_of(info, longhaul::kSealFields));
  const double count = static_cast<double>(sealed.records);
  return Napi::Number::New(info.Env(), sealed.malformed ? -1 - static_cast<double>(sealed.at) : count);
}

template <typename Offset>
Napi::Value check_into(const Info& info, const View<Offset>& found) {
  const Range range = range_of(info);
  if (range.end > std::numeric_limits<uint32_t>::max() && sizeof(Offset) == sizeof(uint32_t)) {
    refuse(info, "expected a Float64Array");
  }
  const size_t sound = longhaul::check_records(range.bytes, range.start, range.end,
                                               state_of(info, longhaul::kCheckFields), found.data, found.length);
  return Napi::Number::New(info.Env(), static_cast<double>(sound));
}

Napi::Value check_records(const Info& info) {
  const Napi::Value found = info[4];
  if (found.IsTypedArray() && found.As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array) {
    return check_into(info, view_of<uint32_t>(info, found, napi_uint32_array, ""));
  }
  return check_into(info, view_of<double>(info, found, napi_float64_array, "expected a Float64Array or Uint32Array"));
}

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports)
#if !defined(_WIN32)
      : bridge_(env), reads_(env), zstd_(env)
#endif
  {
    exports["checksum64"] = Napi::Function::New(env, checksum64, "checksum64");
    exports["checksumParts"] = Napi::Function::New(env, checksum_parts, "checksumParts");
    exports["discard"] = Napi::Function::New(env, discard, "discard");
    exports["sealRecords"] = Napi::Function::New(env, seal_records, "sealRecords");
    exports["pageOffset"] = Napi::Function::New(env, page_offset, "pageOffset");
    exports["checkRecords"] = Napi::Function::New(env, check_records, "checkRecords");
    longhaul::export_content(env, exports);
#if !defined(_WIN32)
    DefineAddon(exports, {InstanceMethod("writeDurable", &Addon::write_durable),
                          InstanceMethod("bypassCache", &Addon::bypass_cache),
                          InstanceMethod("preallocate", &Addon::preallocate),
                          InstanceMethod("writeZeros", &Addon::write_zeros),
                          InstanceMethod("readSpans", &Addon::read_spans)});
    longhaul::export_tuning(env, exports);
    exports["zstd"] = zstd_.functions();
#else
    (void)env;
#endif
  }

#if !defined(_WIN32)
 private:
  // The array holds its buffers until they are written, so from here on it belongs to the addon.
  Napi::Value write_durable(const Info& info) {
    const int fd = descriptor_of(info, info[0]);
    if (!info[1].IsArray()) refuse(info, "expected an array of Uint8Array");
    const auto list = info[1].As<Napi::Array>();
    double end = integer_of(info, info[2], kSafeIntegerMax);
    const auto position = static_cast<int64_t>(end);
    std::vector<iovec> buffers;
    for (uint32_t index = 0; index < list.Length(); index++) {
      const View<uint8_t> bytes = bytes_of(info, list.Get(index));
      buffers.push_back({bytes.data, bytes.length});
      end += static_cast<double>(bytes.length);
    }
    if (end > kSafeIntegerMax) refuse(info, "expected an end within bounds");
    if (!info[3].IsBoolean()) refuse(info, "expected true or false");
    const bool sync = info[3].As<Napi::Boolean>().Value();
    return begin(info, list, [fd, buffers = std::move(buffers), position, sync] {
      return longhaul::write_durable(fd, buffers, position, sync);
    });
  }

  Napi::Value bypass_cache(const Info& info) {
    return Napi::Boolean::New(info.Env(), longhaul::bypass_cache(descriptor_of(info, info[0])));
  }

  Napi::Value preallocate(const Info& info) {
    const int fd = descriptor_of(info, info[0]);
    const auto bytes = static_cast<int64_t>(integer_of(info, info[1], kSafeIntegerMax));
    return begin(info, nullptr, [fd, bytes] { return longhaul::preallocate(fd, bytes); });
  }

  Napi::Value write_zeros(const Info& info) {
    const int fd = descriptor_of(info, info[0]);
    const auto from = static_cast<int64_t>(integer_of(info, info[1], kSafeIntegerMax));
    const auto to = static_cast<int64_t>(integer_of(info, info[2], kSafeIntegerMax));
    return begin(info, nullptr, [fd, from, to] { return longhaul::write_zeros(fd, from, to); });
  }

  // The spans are pairs of place and length; the memory is the addon's until it has been filled.
  Napi::Value read_spans(const Info& info) {
    const int fd = descriptor_of(info, info[0]);
    const auto given = view_of<double>(info, info[1], napi_float64_array, "expected a Float64Array");
    const View<uint8_t> into = bytes_of(info, info[2]);
    std::vector<longhaul::Span> spans;
    size_t room = into.length;
    for (size_t index = 0; index + 1 < given.length; index += 2) {
      const double position = integer_in(info, given.data[index], kSafeIntegerMax);
      const auto length = static_cast<size_t>(integer_in(info, given.data[index + 1], static_cast<double>(room)));
      integer_in(info, position + static_cast<double>(length), kSafeIntegerMax);
      spans.push_back({static_cast<int64_t>(position), length});
      room -= length;
    }
    if (given.length % 2 != 0 || room != 0) refuse(info, "expected spans that fill the memory");
    return begin(info, reads_, info[2], [fd, spans = std::move(spans), data = into.data] {
      return longhaul::read_spans(fd, spans, data);
    });
  }

  Napi::Value begin(const Info& info, napi_value kept, std::function<longhaul::Outcome()> work) {
    return begin(info, bridge_, kept, std::move(work));
  }

  Napi::Value begin(const Info& info, longhaul::Bridge& bridge, napi_value kept,
                    std::function<longhaul::Outcome()> work) {
    const napi_value promise = bridge.run(kept, std::move(work));
    if (promise == nullptr) throw Napi::Error::New(info.Env(), "no thread to wait on");
    return Napi::Value(info.Env(), promise);
  }

  longhaul::Bridge bridge_;
  // Threads of their own, so that no journal waits with a write for somebody's reads.
  longhaul::Bridge reads_;
  longhaul::ZstdCodec zstd_;
#endif
};

}  // namespace

NODE_API_ADDON(Addon)
