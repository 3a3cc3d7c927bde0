#include "socket.h"

#if !defined(_WIN32)

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace longhaul {
namespace {

constexpr Outcome kUnsupported = {0, "", false};

[[maybe_unused]] Outcome outcome_of(int result, const char* operation) {
  if (result == 0) return {};
  if (errno == ENOPROTOOPT || errno == EOPNOTSUPP) return kUnsupported;
#if defined(__APPLE__)
  // There this is also the answer for a connection that the peer has just reset.
  if (errno == EINVAL) return kUnsupported;
#endif
  return {errno, operation, true};
}

template <typename Value>
Outcome set_option(int fd, int level, int option, Value value) {
  return outcome_of(setsockopt(fd, level, option, &value, sizeof(value)), "setsockopt");
}

#if defined(__linux__)

// Only later headers name it.
constexpr int kIpProtoMptcp = 262;

// Options of other sockets go by the same numbers, and some exist for any socket: so ask what it is.
Outcome expect_tcp(int fd) {
  int protocol = 0;
  socklen_t length = sizeof(protocol);
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0) return {errno, "getsockopt", true};
  if (protocol != IPPROTO_TCP && protocol != kIpProtoMptcp) return {ENOPROTOOPT, "getsockopt", true};
  return {};
}

Outcome read_congestion_control(int fd, std::string* in_force) {
  char name[kCongestionControlBytesMax + 1] = {};
  socklen_t length = sizeof(name);
  const Outcome read = outcome_of(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), "getsockopt");
  if (read.error == 0 && read.supported) in_force->assign(name, strnlen(name, sizeof(name)));
  return read;
}

// Not allowed, no such module, or one that is just being unloaded: the next one may do.
bool is_refusal(int error) { return error == EPERM || error == ENOENT || error == EBUSY; }

#endif

}  // namespace

#if defined(__linux__)

Outcome set_congestion_control(int fd, const std::vector<std::string>& names, std::string* in_force) {
  const Outcome tcp = expect_tcp(fd);
  if (tcp.error != 0) return tcp;
  for (const std::string& name : names) {
    const auto length = static_cast<socklen_t>(name.size());
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), length) == 0) break;
    if (!is_refusal(errno)) return outcome_of(-1, "setsockopt");
  }
  return read_congestion_control(fd, in_force);
}

Outcome probe_congestion_control(const std::vector<std::string>& names, std::string* in_force) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd == -1 && errno == EAFNOSUPPORT) fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd == -1) return {errno, "socket", true};
  const Outcome outcome = set_congestion_control(fd, names, in_force);
  close(fd);
  return outcome;
}

// Kernels before 4.20 and those of 32 bits take 32 bits of it, and a wider value without a word: what they say
// afterwards tells. All ones mean no limit, in either width.
Outcome set_pacing_rate(int fd, uint64_t bytes_per_second) {
  const Outcome tcp = expect_tcp(fd);
  if (tcp.error != 0) return tcp;
  const uint64_t wide = bytes_per_second == 0 ? std::numeric_limits<uint64_t>::max() : bytes_per_second;
  const Outcome set = set_option(fd, SOL_SOCKET, SO_MAX_PACING_RATE, wide);
  if (set.error != 0 || !set.supported) return set;
  uint64_t in_force = 0;
  socklen_t length = sizeof(in_force);
  const int read = getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &in_force, &length);
  if (read == 0 && length == sizeof(in_force) && in_force == wide) return {};
  const uint64_t narrow = std::min<uint64_t>(wide, std::numeric_limits<uint32_t>::max());
  return set_option(fd, SOL_SOCKET, SO_MAX_PACING_RATE, static_cast<uint32_t>(narrow));
}

Outcome set_user_timeout(int fd, uint32_t milliseconds) {
  const Outcome tcp = expect_tcp(fd);
  return tcp.error != 0 ? tcp : set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds);
}

#else

Outcome set_congestion_control(int, const std::vector<std::string>&, std::string*) { return kUnsupported; }
Outcome probe_congestion_control(const std::vector<std::string>&, std::string*) { return kUnsupported; }
Outcome set_pacing_rate(int, uint64_t) { return kUnsupported; }
Outcome set_user_timeout(int, uint32_t) { return kUnsupported; }

#endif

#if defined(__linux__)

Outcome set_notsent_lowat(int fd, uint32_t bytes) {
  const Outcome tcp = expect_tcp(fd);
  return tcp.error != 0 ? tcp : set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

#elif defined(__APPLE__)

// There the option takes a signed number.
Outcome set_notsent_lowat(int fd, uint32_t bytes) {
  const uint32_t bounded = std::min<uint32_t>(bytes, std::numeric_limits<int>::max());
  return set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(bounded));
}

#else

Outcome set_notsent_lowat(int, uint32_t) { return kUnsupported; }

#endif

#if defined(__linux__)

namespace {

// Where the kernel's struct tcp_info has a field, and how wide that is. The struct only ever grew at its end, and the
// headers here may be older than the kernel that the addon runs on, or name less of it, so they are not asked.
struct Field {
  uint16_t offset;
  uint8_t bytes;
};

constexpr Field kFields[kTcpInfoFields] = {
    {68, 4},   // rtt
    {72, 4},   // rttvar
    {148, 4},  // min_rtt
    {80, 4},   // snd_cwnd
    {16, 4},   // snd_mss
    {24, 4},   // unacked
    {32, 4},   // lost
    {100, 4},  // total_retrans
    {144, 4},  // notsent_bytes
    {160, 8},  // delivery_rate
    {7, 1},    // delivery_rate_app_limited
    {120, 8},  // bytes_acked
    {200, 8},  // bytes_sent
    {208, 8},  // bytes_retrans
    {104, 8},  // pacing_rate
    {168, 8},  // busy_time
    {176, 8},  // rwnd_limited
    {184, 8},  // sndbuf_limited
};
constexpr size_t kTcpInfoBytes = 256;

template <typename Value>
Value value_at(const uint8_t* bytes) {
  Value value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// The first bit of a byte of bit fields.
bool flag_at(const uint8_t* byte) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return (*byte & 0x80) != 0;
#else
  return (*byte & 1) != 0;
#endif
}

// All ones are what the kernel has for a time that it has not measured, and for a rate that is not limited.
double number_of(const uint8_t* bytes, size_t width) {
  if (width == 1) return flag_at(bytes) ? 1 : 0;
  if (width == 4) {
    const auto value = value_at<uint32_t>(bytes);
    return value == std::numeric_limits<uint32_t>::max() ? std::numeric_limits<double>::quiet_NaN() : value;
  }
  const auto value = value_at<uint64_t>(bytes);
  if (value == std::numeric_limits<uint64_t>::max()) return std::numeric_limits<double>::infinity();
  return static_cast<double>(value);
}

}  // namespace

Outcome read_tcp_info(int fd, double* fields) {
  const Outcome tcp = expect_tcp(fd);
  if (tcp.error != 0) return tcp;
  uint8_t bytes[kTcpInfoBytes];
  socklen_t length = sizeof(bytes);
  const Outcome read = outcome_of(getsockopt(fd, IPPROTO_TCP, TCP_INFO, bytes, &length), "getsockopt");
  if (read.error != 0 || !read.supported) return read;
  for (size_t index = 0; index < kTcpInfoFields; index++) {
    const Field field = kFields[index];
    const bool told = size_t{field.offset} + field.bytes <= length;
    fields[index] = told ? number_of(bytes + field.offset, field.bytes) : std::numeric_limits<double>::quiet_NaN();
  }
  return {};
}

#else

Outcome read_tcp_info(int, double*) { return kUnsupported; }

#endif

}  // namespace longhaul

#endif
