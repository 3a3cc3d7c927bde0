// What the link is asked to do: its options, and what commands change while it runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "lane.h"

namespace wan {

struct Options {
  Conditions conditions;
  int paths = 1;
  int mtu = 1500;
  uint64_t seed = 0;
};

// A number that options and commands set, and its bounds.
struct Setting {
  double min;
  double max;
  void (*set)(Conditions&, double);
};

// By name, such as "rate-mbit".
const std::map<std::string, Setting>& settings();

// Throws std::invalid_argument, which names what was given and what was expected; so does `options_of`.
double number_of(const std::string& name, const std::string& text, double min, double max);

// Of the command line. A queue that is not given takes what is under way during a round trip at the rate, so that one
// connection can fill the link, and at least 64 KiB; a seed that is not given is another each time.
Options options_of(int count, char** arguments);

}  // namespace wan
