// A link between two network namespaces, in user space: link --rate-mbit 100 --delay-ms 15 [--loss-percent 1] ...
//
// Each end is a namespace with a TUN device a path (wan0, wan1 ...) and addresses 10.77.PATH.1 at the near and 10.77.PATH.2
// at the far one. The first line of the output says where the namespaces are found, as long as this program runs:
//
//   ready {"near":"/proc/PID/fd/N","far":"/proc/PID/fd/M","seed":S}        nsenter --net=/proc/PID/fd/N COMMAND
//
// Each line of its input is a command, answered by a line `ok`, `error ...` or `report {...}`:
//
//   report                                  all counters, as does the signal USR1; intervals since the last report
//   down [PATH] | up [PATH]                 cuts paths and restores them, all of them without a number
//   rate-mbit | delay-ms | jitter-ms | loss-percent | queue-bytes VALUE [PATH]
//
// It ends, with a last report, at the end of its input, by TERM or INT, or with its parent; the namespaces and devices
// vanish with it and the programs in them, however it ends.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "lane.h"
#include "settings.h"
#include "tun.h"

namespace {

using wan::Conditions;
using wan::Lane;
using wan::number_of;

constexpr size_t kCommandBytesMax = 256;
constexpr double kNanosecondsPerMillisecond = 1e6;

class Link {
 public:
  explicit Link(const wan::Options& options) : stop_(eventfd(0, EFD_CLOEXEC)), begun_(wan::now()) {
    for (int number = 0; number < 2; number++) {
      ends_.push_back(wan::open_end(number, options.paths, options.mtu));
    }
    uint64_t seed = options.seed;
    for (int path = 0; path < options.paths; path++) {
      for (int number = 0; number < 2; number++) {
        const int from = ends_[number].devices[path];
        const int to = ends_[1 - number].devices[path];
        lanes_.push_back(std::make_unique<Lane>(from, to, stop_, options.conditions, seed++));
      }
    }
    for (const auto& lane : lanes_) threads_.emplace_back([&lane] { lane->run(); });
    std::printf("ready {\"near\":\"%s\",\"far\":\"%s\",\"seed\":%llu}\n", place_of(0).c_str(), place_of(1).c_str(),
                static_cast<unsigned long long>(options.seed));
    std::fflush(stdout);
  }

  ~Link() {
    const uint64_t one = 1;
    if (write(stop_, &one, sizeof one) != sizeof one) std::abort();
    for (std::thread& thread : threads_) thread.join();
  }

  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void command(const std::string& line) {
    try {
      obey(line);
    } catch (const std::exception& error) {
      std::printf("error %s\n", error.what());
    }
    std::fflush(stdout);
  }

  void report() {
    const double seconds = static_cast<double>(wan::now() - begun_) / wan::kNanosecondsPerSecond;
    std::printf("report {\"seconds\":%.6f,\"overruns\":{\"near\":%llu,\"far\":%llu},\"intervalMs\":%lld,\"lanes\":[",
                seconds, static_cast<unsigned long long>(wan::overruns_of(ends_[0])),
                static_cast<unsigned long long>(wan::overruns_of(ends_[1])),
                static_cast<long long>(wan::kInterval / 1'000'000));
    for (size_t index = 0; index < lanes_.size(); index++) {
      std::printf("%s{\"path\":%zu,\"from\":\"%s\",%s}", index == 0 ? "" : ",", index / 2, index % 2 == 0 ? "near" : "far",
                  counters_of(lanes_[index]->report()).c_str());
    }
    std::printf("]}\n");
    std::fflush(stdout);
  }

 private:
  std::string place_of(int number) const {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(ends_[number].network);
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "report") return report();
    void (*change)(Conditions&, double) = nullptr;
    double value = 0;
    const auto setting = wan::settings().find(name);
    if (setting != wan::settings().end()) {
      std::string text;
      words >> text;
      value = number_of(name, text, setting->second.min, setting->second.max);
      change = setting->second.set;
    } else if (name == "up" || name == "down") {
      value = name == "up" ? 1 : 0;
      change = [](Conditions& conditions, double up) { conditions.up = up != 0; };
    } else {
      throw std::invalid_argument("there is no command " + name);
    }
    std::string path;
    const size_t paths = lanes_.size() / 2;
    const bool all = !(words >> path);
    const size_t chosen = all ? 0 : static_cast<size_t>(number_of("PATH", path, 0, static_cast<double>(paths) - 1));
    for (size_t index = 0; index < lanes_.size(); index++) {
      if (!all && index / 2 != chosen) continue;
      Conditions conditions = lanes_[index]->conditions();
      change(conditions, value);
      lanes_[index]->set(conditions);
    }
    std::printf("ok\n");
  }

  static std::string counters_of(const wan::LaneReport& report) {
    std::ostringstream json;
    const auto count = [&](const char* name, const wan::Count& counted) {
      json << '"' << name << "\":{\"packets\":" << counted.packets << ",\"bytes\":" << counted.bytes << "},";
    };
    const auto series = [&](const char* name, uint64_t wan::Interval::* field) {
      json << ",\"" << name << "\":[";
      for (size_t at = 0; at < report.intervals.size(); at++) json << (at == 0 ? "" : ",") << report.intervals[at].*field;
      json << ']';
    };
    count("passed", report.passed);
    count("lost", report.lost);
    count("queueFull", report.queue_full);
    count("cut", report.cut);
    count("refused", report.refused);
    json << "\"passedPayloadBytes\":" << report.passed_payload_bytes;
    json << ",\"queueMsMax\":" << static_cast<double>(report.queue_longest) / kNanosecondsPerMillisecond;
    json << ",\"latenessMsMax\":" << static_cast<double>(report.lateness_longest) / kNanosecondsPerMillisecond;
    json << ",\"latenessMsMean\":" << report.lateness_mean / kNanosecondsPerMillisecond;
    json << ",\"firstInterval\":" << report.first_interval;
    series("offeredBytes", &wan::Interval::offered_bytes);
    series("offeredPayloadBytes", &wan::Interval::offered_payload_bytes);
    series("passedBytes", &wan::Interval::passed_bytes);
    return json.str();
  }

  const int stop_;
  const wan::Nanoseconds begun_;
  std::vector<wan::End> ends_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // of each path the one from near to far, then the one back
  std::vector<std::thread> threads_;
};

// Signals come as data, so that no handler interrupts anything; threads inherit that they are blocked.
int signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

// Hands whole lines of standard input to the link; false at its end.
bool read_commands(Link& link, std::string& pending) {
  char text[4096];
  const ssize_t length = read(STDIN_FILENO, text, sizeof text);
  if (length <= 0) return length == -1 && errno == EINTR;
  pending.append(text, static_cast<size_t>(length));
  for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
    link.command(pending.substr(0, end));
  }
  return pending.size() <= kCommandBytesMax;
}

void serve(Link& link, int signal_source) {
  pollfd awaited[] = {{STDIN_FILENO, POLLIN, 0}, {signal_source, POLLIN, 0}};
  std::string pending;
  while (true) {
    if (poll(awaited, 2, -1) == -1 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "waiting");
    if (awaited[0].revents != 0 && !read_commands(link, pending)) return;
    if (awaited[1].revents != 0) {
      signalfd_siginfo signal;
      if (read(signal_source, &signal, sizeof signal) != sizeof signal) return;
      if (signal.ssi_signo != SIGUSR1) return;
      link.report();
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    // It may have died before that was said.
    if (getppid() != parent) return 1;
    const int signal_source = signals();
    Link link(wan::options_of(count, arguments));
    serve(link, signal_source);
    link.report();
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "link: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "link: %s\n", error.what());
    return 1;
  }
}
