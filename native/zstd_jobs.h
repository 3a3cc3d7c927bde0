// The calls of the codec as jobs of the bridge: what their threads do, and the Buffer or error that comes of it.
#pragma once

#include "bridge.h"

#if !defined(_WIN32)

#include <functional>
#include <memory>
#include <utility>

#include "zstd_stream.h"

namespace longhaul {

// What all calls have in common: no exception leaves a thread, and one outcome settles the promise.
class CodecJob : public Job {
 public:
  void work(const std::atomic<bool>& leaving) final;
  void settle(napi_env env, napi_deferred deferred) final;

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
  using Open = std::function<ZstdOutcome(decltype(Kind::kernel)&)>;
  explicit OpenJob(Open open) : stream_(std::make_shared<Kind>()), open_(std::move(open)) { stream_->begin_call(); }

 protected:
  ZstdOutcome call(const std::atomic<bool>&) override { return open_(stream_->kernel); }
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
  ZstdOutcome call(const std::atomic<bool>& leaving) override;
  napi_value result_of(napi_env env) override;
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
  napi_value result_of(napi_env env) override;

 private:
  Call call_;
  ZstdMemory output_;
  size_t length_ = 0;
};

}  // namespace longhaul

#endif
