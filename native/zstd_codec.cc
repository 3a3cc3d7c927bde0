#include "zstd_codec.h"

#if !defined(_WIN32)

#include <algorithm>
#include <new>
#include <utility>

#include "zstd_decoder.h"
#include "zstd_encoder.h"

namespace longhaul {
namespace {

using Info = Napi::CallbackInfo;

// What a call takes in or puts out, and the longest prefix.
constexpr size_t kBytesMax = size_t{1} << 30;
constexpr int kWindowLogMin = 10;
constexpr int kWindowLogMax = 30;
constexpr int kLevelMax = 19;
// A piece is compressed without a stop, so it must not take long.
constexpr size_t kPieceBytesMax = size_t{8} << 20;

// ---- arguments ------------------------------------------------------------------------------------------------------

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

// ---- streams --------------------------------------------------------------------------------------------------------

// All but `closed` is for JavaScript's thread alone.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual size_t memory_bytes() const = 0;

  void begin_call() { calls_++; }
  void end_call(napi_env env) {
    calls_--;
    settle_memory(env);
  }
  // Frees what no call uses. One under way soon ends, and then the rest is freed.
  void close(napi_env env) {
    closed = true;
    settle_memory(env);
  }
  void collected(napi_env env) {
    collected_ = true;
    settle_memory(env);
  }

  std::atomic<bool> closed{false};

 protected:
  virtual void free() = 0;

 private:
  void settle_memory(napi_env env) {
    if (closed && calls_ == 0) free();
    // The collector does not see this memory otherwise, and would let objects pile up that seem to be small.
    const int64_t bytes = collected_ ? 0 : static_cast<int64_t>(memory_bytes());
    int64_t total = 0;
    if (bytes != told_ && napi_adjust_external_memory(env, bytes - told_, &total) == napi_ok) told_ = bytes;
  }

  size_t calls_ = 0;
  int64_t told_ = 0;
  bool collected_ = false;
};

template <typename Kernel>
class StreamOf : public Stream {
 public:
  size_t memory_bytes() const override { return kernel.memory_bytes(); }

  static const napi_type_tag tag;
  Kernel kernel;

 protected:
  void free() override { kernel.close(); }
};

using EncoderStream = StreamOf<ZstdEncoder>;
using DecoderStream = StreamOf<ZstdDecoder>;
template <>
const napi_type_tag EncoderStream::tag = {0x8d1f5ba0a3c24e6bU, 0x9a7be6f1c05d4413U};
template <>
const napi_type_tag DecoderStream::tag = {0x30a4c9b7e2ff4d18U, 0xb6d2740e19f34c85U};

// An object that owns the stream; nullptr while a worker is being terminated.
template <typename Kind>
napi_value handle_of(napi_env env, const std::shared_ptr<Kind>& stream) {
  napi_value handle = nullptr;
  if (napi_create_object(env, &handle) != napi_ok) return nullptr;
  if (napi_type_tag_object(env, handle, &Kind::tag) != napi_ok) return nullptr;
  auto owner = std::make_unique<std::shared_ptr<Stream>>(stream);
  const auto finalize = [](napi_env env, void* data, void*) {
    const std::unique_ptr<std::shared_ptr<Stream>> owner(static_cast<std::shared_ptr<Stream>*>(data));
    (*owner)->collected(env);
  };
  if (napi_wrap(env, handle, owner.get(), finalize, nullptr, nullptr) != napi_ok) return nullptr;
  owner.release();
  return handle;
}

template <typename Kind>
bool is_handle(const Info& info, napi_value value) {
  bool tagged = false;
  return napi_check_object_type_tag(info.Env(), value, &Kind::tag, &tagged) == napi_ok && tagged;
}

std::shared_ptr<Stream> unwrap(const Info& info, napi_value value) {
  void* owner = nullptr;
  if (napi_unwrap(info.Env(), value, &owner) != napi_ok) refuse(info, "expected a stream");
  return *static_cast<std::shared_ptr<Stream>*>(owner);
}

template <typename Kind>
std::shared_ptr<Kind> stream_of(const Info& info) {
  if (!info[0].IsObject() || !is_handle<Kind>(info, info[0])) refuse(info, "expected a stream of this kind");
  return std::static_pointer_cast<Kind>(unwrap(info, info[0]));
}

std::shared_ptr<Stream> any_stream_of(const Info& info) {
  const bool either = info[0].IsObject() && (is_handle<EncoderStream>(info, info[0]) || is_handle<DecoderStream>(info, info[0]));
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

// ---- calls ----------------------------------------------------------------------------------------------------------

class Stop : public ZstdStop {
 public:
  Stop(const std::atomic<bool>& closed, const std::atomic<bool>& leaving) : closed_(closed), leaving_(leaving) {}
  bool stopped() const override { return closed_ || leaving_; }

 private:
  const std::atomic<bool>& closed_;
  const std::atomic<bool>& leaving_;
};

const char* name_of(ZstdStatus status) {
  switch (status) {
    case ZstdStatus::stopped:
      return "closed";
    case ZstdStatus::damaged:
      return "damaged";
    case ZstdStatus::window_too_large:
      return "window";
    case ZstdStatus::output_too_large:
      return "output";
    default:
      return "failed";
  }
}

// An Error with `zstd`, a word that zstd-call.ts knows.
napi_value error_of(napi_env env, const ZstdOutcome& outcome) {
  napi_value message = nullptr;
  napi_value word = nullptr;
  napi_value error = nullptr;
  const bool made =
      napi_create_string_utf8(env, outcome.reason, NAPI_AUTO_LENGTH, &message) == napi_ok &&
      napi_create_string_utf8(env, name_of(outcome.status), NAPI_AUTO_LENGTH, &word) == napi_ok &&
      napi_create_error(env, nullptr, message, &error) == napi_ok &&
      napi_set_named_property(env, error, "zstd", word) == napi_ok;
  return made ? error : nullptr;
}

// A copy, so that it is memory as any other for the collector and can be transferred; `fill` is given its place.
template <typename Fill>
napi_value buffer_of(napi_env env, size_t length, Fill fill) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_buffer(env, length, &data, &buffer) != napi_ok) {
    napi_value exception = nullptr;
    napi_get_and_clear_last_exception(env, &exception);
    return nullptr;
  }
  if (length > 0) fill(static_cast<uint8_t*>(data));
  return buffer;
}

class CodecJob : public Job {
 public:
  void work(const std::atomic<bool>& leaving) final {
    try {
      outcome_ = call(leaving);
    } catch (const std::bad_alloc&) {
      outcome_ = {ZstdStatus::failed, "not enough memory"};
    }
  }

  void settle(napi_env env, napi_deferred deferred) final {
    napi_value result = outcome_.ok() ? result_of(env) : nullptr;
    if (result == nullptr && outcome_.ok()) outcome_ = {ZstdStatus::failed, "not enough memory for the result"};
    release(env);
    if (outcome_.ok()) {
      napi_resolve_deferred(env, deferred, result);
    } else {
      result = error_of(env, outcome_);
      if (result != nullptr) napi_reject_deferred(env, deferred, result);
    }
  }

 protected:
  virtual ZstdOutcome call(const std::atomic<bool>& leaving) = 0;
  // nullptr when it cannot be made.
  virtual napi_value result_of(napi_env env) = 0;
  virtual void release(napi_env) {}

 private:
  ZstdOutcome outcome_;
};

template <typename Kind>
class OpenJob : public CodecJob {
 public:
  using Open = std::function<ZstdOutcome(Kind&)>;
  OpenJob(std::shared_ptr<Kind> stream, Open open) : stream_(std::move(stream)), open_(std::move(open)) {
    stream_->begin_call();
  }

 protected:
  ZstdOutcome call(const std::atomic<bool>&) override { return open_(*stream_); }
  napi_value result_of(napi_env env) override { return handle_of(env, stream_); }
  void release(napi_env env) override { stream_->end_call(env); }

 private:
  std::shared_ptr<Kind> stream_;
  Open open_;
};

class StreamJob : public CodecJob {
 public:
  using Call = std::function<ZstdOutcome(ZstdOutput&, const ZstdStop&)>;
  StreamJob(std::shared_ptr<Stream> stream, ZstdOutput output, Call call)
      : stream_(std::move(stream)), output_(std::move(output)), call_(std::move(call)) {
    stream_->begin_call();
  }

 protected:
  ZstdOutcome call(const std::atomic<bool>& leaving) override {
    const Stop stop(stream_->closed, leaving);
    if (stop.stopped()) return {ZstdStatus::stopped, ""};
    return call_(output_, stop);
  }
  napi_value result_of(napi_env env) override {
    return buffer_of(env, output_.length(), [this](uint8_t* to) { output_.copy_to(to); });
  }
  void release(napi_env env) override { stream_->end_call(env); }

 private:
  std::shared_ptr<Stream> stream_;
  ZstdOutput output_;
  Call call_;
};

class PieceJob : public CodecJob {
 public:
  using Call = std::function<ZstdOutcome(ZstdMemory&, size_t&)>;
  explicit PieceJob(Call call) : call_(std::move(call)) {}

 protected:
  ZstdOutcome call(const std::atomic<bool>&) override { return call_(output_, length_); }
  napi_value result_of(napi_env env) override {
    return buffer_of(env, length_, [this](uint8_t* to) { std::copy_n(output_.get(), length_, to); });
  }

 private:
  Call call_;
  ZstdMemory output_;
  size_t length_ = 0;
};

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
  auto open = [options, prefix = spans_of(info, 4)](EncoderStream& stream) { return stream.kernel.open(options, prefix); };
  return begin(info, info[4], std::make_unique<OpenJob<EncoderStream>>(std::make_shared<EncoderStream>(), std::move(open)));
}

// (windowLogMax, prefix)
Napi::Value ZstdCodec::open_decoder(const Info& info) {
  const auto window_log_max = static_cast<int>(integer_of(info, 0, kWindowLogMin, kWindowLogMax));
  auto open = [window_log_max, prefix = spans_of(info, 1)](DecoderStream& stream) {
    return stream.kernel.open(window_log_max, prefix);
  };
  return begin(info, info[1], std::make_unique<OpenJob<DecoderStream>>(std::make_shared<DecoderStream>(), std::move(open)));
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
