// An encoder or decoder as JavaScript holds it. It belongs to that object and to the calls under way; the last of them
// frees it.
#pragma once

#include <node_api.h>

#include <atomic>
#include <memory>
#include <utility>

#include "zstd_decoder.h"
#include "zstd_encoder.h"

namespace longhaul {

// What part of a stream's memory the collector is told of.
constexpr size_t kToldPart = 8;

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
    // The collector does not see this memory otherwise, and would let objects pile up that nobody closes. Told of all of it,
    // it would search the whole heap each time a stream is opened, as a stream alone takes about what makes it do that.
    const int64_t bytes = collected_ ? 0 : static_cast<int64_t>(memory_bytes() / kToldPart);
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
inline const napi_type_tag EncoderStream::tag = {0x8d1f5ba0a3c24e6bU, 0x9a7be6f1c05d4413U};
template <>
inline const napi_type_tag DecoderStream::tag = {0x30a4c9b7e2ff4d18U, 0xb6d2740e19f34c85U};

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

}  // namespace longhaul
