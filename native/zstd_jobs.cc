#include "zstd_jobs.h"

#if !defined(_WIN32)

#include <algorithm>
#include <new>

namespace longhaul {
namespace {

// Closed by its owner, or left by everybody.
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

}  // namespace

void CodecJob::work(const std::atomic<bool>& leaving) {
  try {
    outcome_ = call(leaving);
  } catch (const std::bad_alloc&) {
    outcome_ = {ZstdStatus::failed, "not enough memory"};
  }
}

void CodecJob::settle(napi_env env, napi_deferred deferred) {
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

ZstdOutcome StreamJob::call(const std::atomic<bool>& leaving) {
  const Stop stop(stream_->closed, leaving);
  if (stop.stopped()) return {ZstdStatus::stopped, ""};
  return call_(output_, stop);
}

napi_value StreamJob::result_of(napi_env env) {
  return buffer_of(env, output_.length(), [this](uint8_t* to) { output_.copy_to(to); });
}

napi_value PieceJob::result_of(napi_env env) {
  return buffer_of(env, length_, [this](uint8_t* to) { std::copy_n(output_.get(), length_, to); });
}

}  // namespace longhaul

#endif
