// One direction of an emulated link: packets come in at one device and leave at another, when and if the link lets them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <random>
#include <vector>

namespace wan {

using Nanoseconds = int64_t;  // of CLOCK_MONOTONIC

constexpr double kNanosecondsPerSecond = 1e9;

// What the link does to a packet. All of it may change while packets are under way; those keep the times they have.
struct Conditions {
  double bytes_per_second = 0;
  Nanoseconds delay = 0;   // one way
  Nanoseconds jitter = 0;  // at most as much more or less than the delay; packets never overtake each other
  double loss = 0;         // probability of a packet's loss, each drawn alone
  size_t queue_bytes = 0;  // what may wait for its turn, that under way to the wire included; what comes on top is dropped
  bool up = true;          // a link that is down loses what is on it and what comes
};

struct Count {
  uint64_t packets = 0;
  uint64_t bytes = 0;  // of IP packets, headers included

  void add(size_t length) {
    packets++;
    bytes += length;
  }
};

// What happened within one interval.
struct Interval {
  uint64_t offered_bytes = 0;          // came in, whatever became of it
  uint64_t offered_payload_bytes = 0;  // of these the contents of TCP segments
  uint64_t passed_bytes = 0;           // came out
};

constexpr Nanoseconds kInterval = 100'000'000;
constexpr size_t kIntervalsMax = 6000;  // ten minutes; the oldest go first

struct LaneReport {
  Count passed;
  uint64_t passed_payload_bytes = 0;
  Count lost;        // by chance
  Count queue_full;  // dropped, because the queue was full
  Count cut;         // dropped, because the link was down
  Count refused;     // the device at the other end did not take them
  Nanoseconds queue_longest = 0;
  Nanoseconds lateness_longest = 0;  // how much later than it should a packet came out: the emulator's own error
  double lateness_mean = 0;
  uint64_t first_interval = 0;  // the number of the first one that is listed, from the start of the lane
  std::vector<Interval> intervals;
};

// Drop-tail queue, then the wire at its rate, then chance, then the delay. `run` belongs to one thread; the other calls may
// come from any.
class Lane {
 public:
  // Devices are read and written without waiting. What is left of the packets goes when `stop` becomes readable.
  Lane(int from, int to, int stop, const Conditions& conditions, uint64_t seed);

  void run();

  Conditions conditions();
  void set(const Conditions& conditions);

  // Counted from the start; intervals, since the last report.
  LaneReport report();

 private:
  struct Packet {
    Nanoseconds due;
    uint32_t payload_bytes;
    std::vector<uint8_t> bytes;
  };

  bool wait();
  bool take();
  bool deliver();
  void admit(const uint8_t* packet, size_t length, Nanoseconds now);
  Nanoseconds draw_delay();
  double draw();
  Interval& interval_at(Nanoseconds now);

  const int from_;
  const int to_;
  const int stop_;
  const Nanoseconds begun_;
  std::mutex mutex_;  // guards all below
  Conditions conditions_;
  std::mt19937_64 random_;
  std::deque<Packet> under_way_;  // bounded by the queue and what the wire holds during the delay
  Nanoseconds wire_free_ = 0;     // when the wire has sent all that was admitted
  Nanoseconds last_due_ = 0;
  double lateness_sum_ = 0;
  LaneReport counted_;
};

Nanoseconds now();

}  // namespace wan
