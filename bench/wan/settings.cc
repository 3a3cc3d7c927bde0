#include "settings.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <sstream>
#include <stdexcept>

namespace wan {
namespace {

constexpr int kPathsMax = 8;
constexpr int kMtuMin = 576;
constexpr int kMtuMax = 65'535;
constexpr double kQueueBytesMin = 64 * 1024;
constexpr double kNanosecondsPerMillisecond = 1e6;

Nanoseconds milliseconds(double value) { return std::llround(value * kNanosecondsPerMillisecond); }

void set_option(Options& options, const std::string& name, const std::string& value) {
  const auto setting = settings().find(name);
  if (setting != settings().end()) {
    setting->second.set(options.conditions, number_of(name, value, setting->second.min, setting->second.max));
  } else if (name == "paths") {
    options.paths = static_cast<int>(number_of(name, value, 1, kPathsMax));
  } else if (name == "mtu") {
    options.mtu = static_cast<int>(number_of(name, value, kMtuMin, kMtuMax));
  } else if (name == "seed") {
    options.seed = static_cast<uint64_t>(number_of(name, value, 0, 0x1p53));
  } else {
    throw std::invalid_argument("there is no option --" + name);
  }
}

}  // namespace

const std::map<std::string, Setting>& settings() {
  static const std::map<std::string, Setting> all = {
      {"rate-mbit", {0.001, 100'000, [](Conditions& c, double value) { c.bytes_per_second = value * 1e6 / 8; }}},
      {"delay-ms", {0, 60'000, [](Conditions& c, double value) { c.delay = milliseconds(value); }}},
      {"jitter-ms", {0, 60'000, [](Conditions& c, double value) { c.jitter = milliseconds(value); }}},
      {"loss-percent", {0, 100, [](Conditions& c, double value) { c.loss = value / 100; }}},
      {"queue-bytes", {1500, 1e10, [](Conditions& c, double value) { c.queue_bytes = static_cast<size_t>(value); }}},
  };
  return all;
}

double number_of(const std::string& name, const std::string& text, double min, double max) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= min && value <= max)) {
    std::ostringstream message;
    message << name << " is " << (text.empty() ? "missing" : text) << ": expected a number from " << min << " to " << max;
    throw std::invalid_argument(message.str());
  }
  return value;
}

Options options_of(int count, char** arguments) {
  Options options;
  options.seed = std::random_device{}();
  for (int at = 1; at < count; at += 2) {
    const std::string option = arguments[at];
    if (option.substr(0, 2) != "--") throw std::invalid_argument("expected an option in the place of " + option);
    set_option(options, option.substr(2), at + 1 < count ? arguments[at + 1] : "");
  }
  Conditions& conditions = options.conditions;
  if (conditions.bytes_per_second == 0) throw std::invalid_argument("--rate-mbit is missing");
  if (conditions.queue_bytes == 0) {
    const double round_trip_bytes =
        conditions.bytes_per_second * 2 * static_cast<double>(conditions.delay) / kNanosecondsPerSecond;
    conditions.queue_bytes = static_cast<size_t>(std::max(round_trip_bytes, kQueueBytesMin));
  }
  return options;
}

}  // namespace wan
