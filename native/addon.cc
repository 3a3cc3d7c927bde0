// What JavaScript sees. With bridge.h and zstd_codec.h the only one that knows Node; src/engine/native.ts has its types.
//
// The TypeScript side has checked the arguments kindly. They are checked again here, tersely: whatever is passed, the
// answer is an exception and never a crash.
#include <napi.h>

#include <limits>
#include <memory>

#include "bridge.h"
#include "records.h"
#include "xxh64.h"
#include "zstd_codec.h"

namespace {

using Info = Napi::CallbackInfo;

constexpr double kSafeIntegerMax = 9007199254740991.0;

[[noreturn]] void refuse(const Info& info, const char* expected) { throw Napi::TypeError::New(info.Env(), expected); }

// One call for type, length and place; node-addon-api's classes make three of it, which a group of many buffers feels.
template <typename Element>
struct View {
  Element* data;
  size_t length;
};

template <typename Element>
View<Element> view_of(const Info& info, napi_value value, napi_typedarray_type expected, const char* expectation) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(info.Env(), value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != expected) refuse(info, expectation);
  return {static_cast<Element*>(data), length};
}

View<uint8_t> bytes_of(const Info& info, napi_value value) {
  return view_of<uint8_t>(info, value, napi_uint8_array, "expected a Uint8Array");
}

// An integer from 0 to `max`.
double integer_of(const Info& info, const Napi::Value& value, double max) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= max) || number != static_cast<double>(static_cast<uint64_t>(number))) {
    refuse(info, "expected an integer within bounds");
  }
  return number;
}

int descriptor_of(const Info& info, const Napi::Value& value) {
  return static_cast<int>(integer_of(info, value, std::numeric_limits<int>::max()));
}

struct Range {
  uint8_t* bytes;
  size_t start;
  size_t end;
};

// Arguments 0 to 2: bytes, start, end.
Range range_of(const Info& info) {
  const View<uint8_t> bytes = bytes_of(info, info[0]);
  const double end = integer_of(info, info[2], static_cast<double>(bytes.length));
  const double start = integer_of(info, info[1], end);
  return {bytes.data, static_cast<size_t>(start), static_cast<size_t>(end)};
}

// Argument 3: the fields of `state`.
uint64_t* state_of(const Info& info, size_t fields) {
  const auto state = view_of<uint64_t>(info, info[3], napi_biguint64_array, "expected a BigUint64Array");
  if (state.length < fields) refuse(info, "expected a longer state");
  return state.data;
}

Napi::Value checksum64(const Info& info) {
  const View<uint8_t> bytes = bytes_of(info, info[0]);
  if (!info[1].IsBigInt()) refuse(info, "expected a seed");
  bool lossless = false;
  const uint64_t seed = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
  return Napi::BigInt::New(info.Env(), longhaul::xxh64(bytes.data, bytes.length, seed));
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
      : bridge_(env), zstd_(env)
#endif
  {
    exports["checksum64"] = Napi::Function::New(env, checksum64, "checksum64");
    exports["sealRecords"] = Napi::Function::New(env, seal_records, "sealRecords");
    exports["pageOffset"] = Napi::Function::New(env, page_offset, "pageOffset");
    exports["checkRecords"] = Napi::Function::New(env, check_records, "checkRecords");
#if !defined(_WIN32)
    DefineAddon(exports, {InstanceMethod("writeDurable", &Addon::write_durable),
                          InstanceMethod("bypassCache", &Addon::bypass_cache),
                          InstanceMethod("preallocate", &Addon::preallocate),
                          InstanceMethod("writeZeros", &Addon::write_zeros)});
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

  Napi::Value begin(const Info& info, napi_value kept, std::function<longhaul::Outcome()> work) {
    const napi_value promise = bridge_.run(kept, std::move(work));
    if (promise == nullptr) throw Napi::Error::New(info.Env(), "no thread to write on");
    return Napi::Value(info.Env(), promise);
  }

  longhaul::Bridge bridge_;
  longhaul::ZstdCodec zstd_;
#endif
};

}  // namespace

NODE_API_ADDON(Addon)
