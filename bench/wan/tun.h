// The ends of the link: a network namespace each, which no name refers to, with a TUN device for each path.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wan {

struct End {
  int network;               // the namespace; it lasts as long as this descriptor and the processes within
  std::vector<int> devices;  // one a path, read and written without waiting
};

// Makes a namespace and its devices wan0, wan1 and so on, with the addresses `network`.PATH.1 (`number` 0) or .2; the
// calling thread is in that namespace afterwards. `network` is the first two numbers of an address, such as "10.77"; one of
// loopback, such as "127.77", leads over the link as well. Throws std::system_error.
End open_end(const std::string& network, int number, int paths, int mtu);

std::string address_of(const std::string& network, int path, int number);

// Packets that the devices of an end have dropped, because the emulator did not read them in time. The calling thread is
// in that namespace afterwards.
uint64_t overruns_of(const End& end);

}  // namespace wan
