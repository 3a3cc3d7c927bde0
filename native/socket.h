// Options of a TCP socket that decide how it shares a line and how little of what was written is beyond recall, and what
// the system measured on it. No call waits. POSIX only, as durable.h: elsewhere there is none of it.
//
// "Not supported" in an outcome means that this system has no such option; a descriptor that is no TCP socket, or not
// open, is an error.
#pragma once

#include "durable.h"

#if !defined(_WIN32)

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace longhaul {

// The longest name that Linux gives a congestion control, without its end.
constexpr size_t kCongestionControlBytesMax = 15;

// Gives the socket the first of these that the system has and lets it have; `in_force` is then what it has, which is
// what it had before where none was allowed.
Outcome set_congestion_control(int fd, const std::vector<std::string>& names, std::string* in_force);

// The same for a socket of its own, which is never connected.
Outcome probe_congestion_control(const std::vector<std::string>& names, std::string* in_force);

// Has the system spread what it sends evenly, no faster than this; 0 takes the ceiling away again.
Outcome set_pacing_rate(int fd, uint64_t bytes_per_second);

// The system takes more from the process only while it holds less than this that was never sent; 0 is the system's own
// bound.
Outcome set_notsent_lowat(int fd, uint32_t bytes);

// Data that nobody acknowledges for so long ends the connection; 0 leaves that to the system.
Outcome set_user_timeout(int fd, uint32_t milliseconds);

// How many fields read_tcp_info fills: those of src/engine/socket-layout.ts, in that order.
constexpr size_t kTcpInfoFields = 18;

// What this system does not tell is NaN, a rate without limit infinity.
Outcome read_tcp_info(int fd, double* fields);

}  // namespace longhaul

#endif
