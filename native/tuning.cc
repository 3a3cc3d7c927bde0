#include "tuning.h"

#if !defined(_WIN32)

#include <limits>
#include <string>
#include <vector>

#include "arguments.h"
#include "bridge.h"
#include "socket.h"

namespace longhaul {
namespace {

constexpr uint32_t kNamesMax = 16;

[[noreturn]] void fail(const Info& info, const Outcome& outcome) {
  const napi_value error = error_of(info.Env(), outcome);
  if (error == nullptr) throw Napi::Error::New(info.Env(), outcome.operation);
  throw Napi::Error(info.Env(), error);
}

Napi::Value supported(const Info& info, const Outcome& outcome) {
  if (outcome.error != 0) fail(info, outcome);
  return Napi::Boolean::New(info.Env(), outcome.supported);
}

std::vector<std::string> names_of(const Info& info, const Napi::Value& value) {
  if (!value.IsArray()) refuse(info, "expected an array of names");
  const auto list = value.As<Napi::Array>();
  if (list.Length() > kNamesMax) refuse(info, "expected fewer names");
  std::vector<std::string> names;
  for (uint32_t index = 0; index < list.Length(); index++) {
    const Napi::Value given = list.Get(index);
    if (!given.IsString()) refuse(info, "expected a name");
    std::string name = given.As<Napi::String>().Utf8Value();
    if (name.empty() || name.size() > kCongestionControlBytesMax) refuse(info, "expected a name within bounds");
    names.push_back(std::move(name));
  }
  return names;
}

Napi::Value name_of(const Info& info, const Outcome& outcome, const std::string& in_force) {
  if (outcome.error != 0) fail(info, outcome);
  return outcome.supported ? Napi::String::New(info.Env(), in_force) : info.Env().Undefined();
}

uint32_t uint32_of(const Info& info, size_t argument) {
  return static_cast<uint32_t>(integer_of(info, info[argument], std::numeric_limits<uint32_t>::max()));
}

// (fd, names)
Napi::Value set_congestion_control_of(const Info& info) {
  const int fd = descriptor_of(info, info[0]);
  std::string in_force;
  const Outcome outcome = set_congestion_control(fd, names_of(info, info[1]), &in_force);
  return name_of(info, outcome, in_force);
}

// (names)
Napi::Value probe_congestion_control_of(const Info& info) {
  std::string in_force;
  const Outcome outcome = probe_congestion_control(names_of(info, info[0]), &in_force);
  return name_of(info, outcome, in_force);
}

// (fd, bytesPerSecond)
Napi::Value set_pacing_rate_of(const Info& info) {
  const int fd = descriptor_of(info, info[0]);
  return supported(info, set_pacing_rate(fd, static_cast<uint64_t>(integer_of(info, info[1], kSafeIntegerMax))));
}

// (fd, bytes)
Napi::Value set_notsent_lowat_of(const Info& info) {
  return supported(info, set_notsent_lowat(descriptor_of(info, info[0]), uint32_of(info, 1)));
}

// (fd, ms)
Napi::Value set_user_timeout_of(const Info& info) {
  return supported(info, set_user_timeout(descriptor_of(info, info[0]), uint32_of(info, 1)));
}

// (fd, info)
Napi::Value read_tcp_info_of(const Info& info) {
  const int fd = descriptor_of(info, info[0]);
  const auto fields = view_of<double>(info, info[1], napi_float64_array, "expected a Float64Array");
  if (fields.length != kTcpInfoFields) refuse(info, "expected a field for each number");
  return supported(info, read_tcp_info(fd, fields.data));
}

}  // namespace

void export_tuning(Napi::Env env, Napi::Object exports) {
  exports["setCongestionControl"] = Napi::Function::New(env, set_congestion_control_of, "setCongestionControl");
  exports["probeCongestionControl"] = Napi::Function::New(env, probe_congestion_control_of, "probeCongestionControl");
  exports["setPacingRate"] = Napi::Function::New(env, set_pacing_rate_of, "setPacingRate");
  exports["setNotSentLowat"] = Napi::Function::New(env, set_notsent_lowat_of, "setNotSentLowat");
  exports["setUserTimeout"] = Napi::Function::New(env, set_user_timeout_of, "setUserTimeout");
  exports["readTcpInfo"] = Napi::Function::New(env, read_tcp_info_of, "readTcpInfo");
}

}  // namespace longhaul

#endif
