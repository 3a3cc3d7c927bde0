#include "lane.h"

#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <system_error>

namespace wan {
namespace {

constexpr size_t kPacketBytesMax = 65'536;
// Packets that are read or written before the other side has its turn.
constexpr int kBurst = 32;
// The kernel would otherwise let a sleeper lie for 50 µs more.
constexpr unsigned long kTimerSlackNanoseconds = 1;
constexpr size_t kIpHeaderBytesMin = 20;
constexpr size_t kTcpHeaderBytesMin = 20;
constexpr Nanoseconds kPatience = 1'000'000'000;
// Falling asleep and waking cost a virtual machine more than ten packets. A thread that woke a short time ago therefore
// naps before it looks again: packets that come close together are up to that much later, others are not.
constexpr Nanoseconds kNapMin = 100'000;
constexpr Nanoseconds kNapMax = 1'000'000;
constexpr Nanoseconds kNapsPerDelay = 20;

bool is_ipv4(const uint8_t* packet, size_t length) { return length >= kIpHeaderBytesMin && packet[0] >> 4 == 4; }

// The bytes of the stream that a segment carries; 0 for what is not TCP.
size_t tcp_payload_bytes(const uint8_t* packet, size_t length) {
  const size_t ip_header_bytes = size_t{4} * (packet[0] & 15U);
  if (packet[9] != IPPROTO_TCP || ip_header_bytes + kTcpHeaderBytesMin > length) return 0;
  const size_t headers_bytes = ip_header_bytes + size_t{4} * (packet[ip_header_bytes + 12] >> 4);
  return headers_bytes > length ? 0 : length - headers_bytes;
}

timespec as_timespec(Nanoseconds time) {
  return {static_cast<time_t>(time / 1'000'000'000), static_cast<long>(time % 1'000'000'000)};
}

Nanoseconds nap_of(const Conditions& conditions) {
  return std::clamp(conditions.delay / kNapsPerDelay, kNapMin, kNapMax);
}

}  // namespace

Nanoseconds now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Nanoseconds{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Lane::Lane(int from, int to, int stop, const Conditions& conditions, uint64_t seed)
    : from_(from), to_(to), stop_(stop), begun_(now()), conditions_(conditions), random_(seed) {}

void Lane::run() {
  prctl(PR_SET_TIMERSLACK, kTimerSlackNanoseconds);
  // A link does not become slower when the machine is busy. Where the system refuses, the lateness tells.
  const sched_param priority = {1};
  sched_setscheduler(0, SCHED_FIFO, &priority);
  for (Nanoseconds woken = now(); wait();) {
    const Nanoseconds before = woken;
    woken = now();
    for (bool more = true; more;) {
      const bool more_to_take = take();
      more = deliver() || more_to_take;
    }
    const Nanoseconds nap = nap_of(conditions());
    const timespec time = as_timespec(nap);
    if (woken - before < 2 * nap) nanosleep(&time, nullptr);
  }
}

// Until a packet comes or is due; false when the lane is to stop.
bool Lane::wait() {
  Nanoseconds longest = kPatience;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!under_way_.empty()) longest = std::clamp<Nanoseconds>(under_way_.front().due - now(), 0, kPatience);
  }
  pollfd awaited[] = {{from_, POLLIN, 0}, {stop_, POLLIN, 0}};
  const timespec timeout = as_timespec(longest);
  if (ppoll(awaited, 2, &timeout, nullptr) == -1 && errno != EINTR) {
    throw std::system_error(errno, std::generic_category(), "waiting for packets");
  }
  return awaited[1].revents == 0;
}

// True when there may be more to read.
bool Lane::take() {
  uint8_t packet[kPacketBytesMax];
  for (int count = 0; count < kBurst; count++) {
    const ssize_t length = read(from_, packet, sizeof packet);
    if (length == -1 && errno == EAGAIN) return false;
    // A device that somebody takes down gives errors until it is up again.
    if (length <= 0) return false;
    const auto bytes = static_cast<size_t>(length);
    // A namespace's own IPv6 looks for routers and the like; the link carries IPv4.
    if (!is_ipv4(packet, bytes)) continue;
    const std::lock_guard<std::mutex> lock(mutex_);
    admit(packet, bytes, now());
  }
  return true;
}

void Lane::admit(const uint8_t* packet, size_t length, Nanoseconds now) {
  const size_t payload_bytes = tcp_payload_bytes(packet, length);
  Interval& interval = interval_at(now);
  interval.offered_bytes += length;
  interval.offered_payload_bytes += payload_bytes;
  if (!conditions_.up) return counted_.cut.add(length);

  const Nanoseconds queued = std::max<Nanoseconds>(wire_free_ - now, 0);
  const double per_byte = kNanosecondsPerSecond / conditions_.bytes_per_second;
  if (static_cast<double>(queued) / per_byte + static_cast<double>(length) >
      static_cast<double>(conditions_.queue_bytes)) {
    return counted_.queue_full.add(length);
  }
  counted_.queue_longest = std::max(counted_.queue_longest, queued);
  wire_free_ = now + queued + std::llround(static_cast<double>(length) * per_byte);
  // Lost beyond the bottleneck: it has had its time on the wire.
  if (draw() < conditions_.loss) return counted_.lost.add(length);
  last_due_ = std::max(last_due_, wire_free_ + draw_delay());
  under_way_.push_back({last_due_, static_cast<uint32_t>(payload_bytes), {packet, packet + length}});
}

// True when more is due.
bool Lane::deliver() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (int count = 0; count < kBurst; count++) {
    const Nanoseconds time = now();
    if (under_way_.empty() || under_way_.front().due > time) return false;
    const Packet& packet = under_way_.front();
    const size_t length = packet.bytes.size();
    if (!conditions_.up) {
      counted_.cut.add(length);
    } else if (write(to_, packet.bytes.data(), length) != static_cast<ssize_t>(length)) {
      counted_.refused.add(length);
    } else {
      const Nanoseconds lateness = time - packet.due;
      counted_.lateness_longest = std::max(counted_.lateness_longest, lateness);
      lateness_sum_ += static_cast<double>(lateness);
      counted_.passed.add(length);
      counted_.passed_payload_bytes += packet.payload_bytes;
      interval_at(time).passed_bytes += length;
    }
    under_way_.pop_front();
  }
  return true;
}

Nanoseconds Lane::draw_delay() {
  const double share = conditions_.jitter == 0 ? 0 : 2 * draw() - 1;
  const auto deviation = std::llround(share * static_cast<double>(conditions_.jitter));
  return std::max<Nanoseconds>(conditions_.delay + deviation, 0);
}

// From 0 up to 1, the same on every system; the standard's distributions are not.
double Lane::draw() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

Interval& Lane::interval_at(Nanoseconds now) {
  const auto number = static_cast<uint64_t>((now - begun_) / kInterval);
  auto& intervals = counted_.intervals;
  if (intervals.empty()) counted_.first_interval = number;
  if (number >= counted_.first_interval + intervals.size()) {
    intervals.resize(number - counted_.first_interval + 1);
  }
  if (intervals.size() > kIntervalsMax) {
    const size_t excess = intervals.size() - kIntervalsMax;
    intervals.erase(intervals.begin(), intervals.begin() + static_cast<std::ptrdiff_t>(excess));
    counted_.first_interval += excess;
  }
  return intervals[number - counted_.first_interval];
}

Conditions Lane::conditions() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return conditions_;
}

void Lane::set(const Conditions& conditions) {
  const std::lock_guard<std::mutex> lock(mutex_);
  conditions_ = conditions;
}

LaneReport Lane::report() {
  const std::lock_guard<std::mutex> lock(mutex_);
  interval_at(now());
  LaneReport report = counted_;
  report.lateness_mean = counted_.passed.packets == 0 ? 0 : lateness_sum_ / static_cast<double>(counted_.passed.packets);
  counted_.intervals.clear();
  return report;
}

}  // namespace wan
