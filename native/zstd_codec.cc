#include "zstd_codec.h"

#if !defined(_WIN32)

#include <algorithm>
#include <utility>

#include "zstd_jobs.h"

namespace longhaul {
namespace {

using Info = Napi::CallbackInfo;

// What a call takes in or puts out, and the longest prefix; and in how many stretches.
constexpr size_t kBytesMax = size_t{1} << 30;
constexpr size_t kSpansMax = size_t{1} << 20;
constexpr int kWindowLogMin = 10;
constexpr int kWindowLogMax = 30;
constexpr int kLevelMax = 19;
// A piece is compressed without a stop, so it must not take long.
constexpr size_t kPieceBytesMax = size_t{8} << 20;

[[noreturn]] void refuse(const Info& info, const char* expected) { throw Napi::TypeError::New(info.Env(), expected); }

size_t integer_of(const Info& info, size_t index, size_t min, size_t max) {
  const Napi::Value value = info[index];
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max))) {
    refuse(info, "expected a number within bounds");
  }
  const auto integer = static_cast<size_t>(number);
  if (static_cast<double>(integer) != number) refuse(info, "expected an integer");
  return integer;
}

bool flag_of(const Info& info, size_t index) {
  const Napi::Value value = info[index];
  if (!value.IsBoolean()) refuse(info, "expected true or false");
  return value.As<Napi::Boolean>().Value();
}

ZstdSpan span_of(const Info& info, napi_value value, size_t bytes_max) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(info.Env(), value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array) refuse(info, "expected a Uint8Array");
  if (length > bytes_max) refuse(info, "expected fewer bytes");
  return {static_cast<const uint8_t*>(data), length};
}

// The array holds its buffers until the call settles, so from here on it belongs to the addon.
ZstdSpans spans_of(const Info& info, size_t index) {
  if (!info[index].IsArray()) refuse(info, "expected an array of Uint8Array");
  const auto list = info[index].As<Napi::Array>();
  if (list.Length() > kSpansMax) refuse(info, "expected a shorter array");
  std::vector<napi_value> values(list.Length());
  for (uint32_t at = 0; at < values.size(); at++) values[at] = list.Get(at);
  ZstdSpans spans;
  spans.reserve(values.size());
  // By now no code of JavaScript's runs any more that could take the memory away.
  size_t room = kBytesMax;
  for (const napi_value value : values) {
    spans.push_back(span_of(info, value, room));
    room -= spans.back().length;
  }
  return spans;
}

template <typename Kind>
bool is_handle(const Info& info, const Napi::Value& value) {
  bool tagged = false;
  return value.IsObject() && napi_check_object_type_tag(info.Env(), value, &Kind::tag, &tagged) == napi_ok && tagged;
}

std::shared_ptr<Stream> unwrap(const Info& info, napi_value value) {
  void* owner = nullptr;
  if (napi_unwrap(info.Env(), value, &owner) != napi_ok) refuse(info, "expected a stream");
  return *static_cast<std::shared_ptr<Stream>*>(owner);
}

template <typename Kind>
std::shared_ptr<Kind> stream_of(const Info& info) {
  if (!is_handle<Kind>(info, info[0])) refuse(info, "expected a stream of this kind");
  return std::static_pointer_cast<Kind>(unwrap(info, info[0]));
}

std::shared_ptr<Stream> any_stream_of(const Info& info) {
  const bool either = is_handle<EncoderStream>(info, info[0]) || is_handle<DecoderStream>(info, info[0]);
  if (!either) refuse(info, "expected a stream");
  return unwrap(info, info[0]);
}

Napi::Value memory_bytes(const Info& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(any_stream_of(info)->memory_bytes()));
}

Napi::Value close_stream(const Info& info) {
  any_stream_of(info)->close(info.Env());
  return info.Env().Undefined();
}

}  // namespace

ZstdCodec::ZstdCodec(napi_env env) : env_(env), bridge_(env, std::max(1U, std::thread::hardware_concurrency())) {}

Napi::Object ZstdCodec::functions() {
  using Method = Napi::Value (ZstdCodec::*)(const Info&);
  const std::pair<const char*, Method> methods[] = {
      {"openEncoder", &ZstdCodec::open_encoder},   {"openDecoder", &ZstdCodec::open_decoder},
      {"compress", &ZstdCodec::compress},          {"end", &ZstdCodec::end},
      {"decompress", &ZstdCodec::decompress},      {"compressPiece", &ZstdCodec::compress_piece},
      {"decompressPiece", &ZstdCodec::decompress_piece},
  };
  Napi::Object functions = Napi::Object::New(env_);
  for (const auto& [name, method] : methods) {
    const auto call = [this, method = method](const Info& info) { return (this->*method)(info); };
    functions[name] = Napi::Function::New(env_, call, name);
  }
  functions["memoryBytes"] = Napi::Function::New(env_, memory_bytes, "memoryBytes");
  functions["close"] = Napi::Function::New(env_, close_stream, "close");
  functions["version"] = Napi::Number::New(env_, ZSTD_versionNumber());
  return functions;
}

// (level, windowLog, longDistance, checksum, prefix)
Napi::Value ZstdCodec::open_encoder(const Info& info) {
  const ZstdEncoderOptions options = {static_cast<int>(integer_of(info, 0, 1, kLevelMax)),
                                      static_cast<int>(integer_of(info, 1, kWindowLogMin, kWindowLogMax)),
                                      flag_of(info, 2), flag_of(info, 3)};
  auto open = [options, prefix = spans_of(info, 4)](ZstdEncoder& encoder) { return encoder.open(options, prefix); };
  return begin(info, info[4], std::make_unique<OpenJob<EncoderStream>>(std::move(open)));
}

// (windowLogMax, prefix)
Napi::Value ZstdCodec::open_decoder(const Info& info) {
  const auto window_log_max = static_cast<int>(integer_of(info, 0, kWindowLogMin, kWindowLogMax));
  auto open = [window_log_max, prefix = spans_of(info, 1)](ZstdDecoder& decoder) {
    return decoder.open(window_log_max, prefix);
  };
  return begin(info, info[1], std::make_unique<OpenJob<DecoderStream>>(std::move(open)));
}

// (encoder, input)
Napi::Value ZstdCodec::compress(const Info& info) {
  const auto stream = stream_of<EncoderStream>(info);
  ZstdSpans input = spans_of(info, 1);
  ZstdOutput output(ZSTD_compressBound(length_of(input)));
  auto call = [stream, input = std::move(input)](ZstdOutput& output, const ZstdStop& stop) {
    return stream->kernel.compress(input, output, stop);
  };
  return begin(info, info[1], std::make_unique<StreamJob>(stream, std::move(output), std::move(call)), stream.get());
}

// (encoder)
Napi::Value ZstdCodec::end(const Info& info) {
  const auto stream = stream_of<EncoderStream>(info);
  auto call = [stream](ZstdOutput& output, const ZstdStop&) { return stream->kernel.end(output); };
  return begin(info, nullptr, std::make_unique<StreamJob>(stream, ZstdOutput(0), std::move(call)), stream.get());
}

// (decoder, input, outputBytesMax)
Napi::Value ZstdCodec::decompress(const Info& info) {
  const auto stream = stream_of<DecoderStream>(info);
  ZstdSpans input = spans_of(info, 1);
  // One byte more, which is how too much shows.
  ZstdOutput output(4 * length_of(input), integer_of(info, 2, 0, kBytesMax) + 1);
  auto call = [stream, input = std::move(input)](ZstdOutput& output, const ZstdStop& stop) {
    return stream->kernel.decompress(input, output, stop);
  };
  return begin(info, info[1], std::make_unique<StreamJob>(stream, std::move(output), std::move(call)), stream.get());
}

// ([input, prefix], level)
Napi::Value ZstdCodec::compress_piece(const Info& info) {
  const ZstdSpans spans = spans_of(info, 0);
  if (spans.size() != 2 || length_of(spans) > 2 * kPieceBytesMax) refuse(info, "expected a piece and its prefix");
  const auto level = static_cast<int>(integer_of(info, 1, 1, kLevelMax));
  auto call = [this, spans, level](ZstdMemory& output, size_t& length) {
    return pieces_.compress(spans[0], spans[1], level, output, length);
  };
  return begin(info, info[0], std::make_unique<PieceJob>(std::move(call)));
}

// ([input, prefix], outputBytesMax)
Napi::Value ZstdCodec::decompress_piece(const Info& info) {
  const ZstdSpans spans = spans_of(info, 0);
  if (spans.size() != 2) refuse(info, "expected a piece and its prefix");
  const size_t bytes_max = integer_of(info, 1, 0, kBytesMax);
  auto call = [this, spans, bytes_max](ZstdMemory& output, size_t& length) {
    return pieces_.decompress(spans[0], spans[1], bytes_max, output, length);
  };
  return begin(info, info[0], std::make_unique<PieceJob>(std::move(call)));
}

Napi::Value ZstdCodec::begin(const Info& info, napi_value kept, std::unique_ptr<Job> job, const void* lane) {
  const napi_value promise = bridge_.run(kept, std::move(job), lane);
  if (promise == nullptr) throw Napi::Error::New(info.Env(), "no thread to work on");
  return Napi::Value(info.Env(), promise);
}

}  // namespace longhaul

#endif
