// What JavaScript passed, checked: type, length and bounds. Whatever it is, the answer is an exception, never a crash.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace longhaul {

using Info = Napi::CallbackInfo;

constexpr double kSafeIntegerMax = 9007199254740991.0;

[[noreturn]] inline void refuse(const Info& info, const char* expected) {
  throw Napi::TypeError::New(info.Env(), expected);
}

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

inline View<uint8_t> bytes_of(const Info& info, napi_value value) {
  return view_of<uint8_t>(info, value, napi_uint8_array, "expected a Uint8Array");
}

// An integer from 0 to `max`.
inline double integer_in(const Info& info, double number, double max) {
  if (!(number >= 0 && number <= max) || number != static_cast<double>(static_cast<uint64_t>(number))) {
    refuse(info, "expected an integer within bounds");
  }
  return number;
}

inline double integer_of(const Info& info, const Napi::Value& value, double max) {
  return integer_in(info, value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1, max);
}

inline int descriptor_of(const Info& info, const Napi::Value& value) {
  return static_cast<int>(integer_of(info, value, std::numeric_limits<int>::max()));
}

// The lower 64 bits of a BigInt.
inline uint64_t seed_of(const Info& info, size_t argument) {
  if (!info[argument].IsBigInt()) refuse(info, "expected a seed");
  bool lossless = false;
  return info[argument].As<Napi::BigInt>().Uint64Value(&lossless);
}

struct Range {
  uint8_t* bytes;
  size_t start;
  size_t end;
};

// Arguments 0 to 2: bytes, start, end.
inline Range range_of(const Info& info) {
  const View<uint8_t> bytes = bytes_of(info, info[0]);
  const double end = integer_of(info, info[2], static_cast<double>(bytes.length));
  const double start = integer_of(info, info[1], end);
  return {bytes.data, static_cast<size_t>(start), static_cast<size_t>(end)};
}

}  // namespace longhaul
