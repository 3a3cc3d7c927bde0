// The ends of the link: a network namespace each, which no name refers to, with a TUN device for each path.
#pragma once

#include <cstdint>
#include <vector>

namespace wan {

struct End {
  int network;               // the namespace; it lasts as long as this descriptor and the processes within
  std::vector<int> devices;  // one a path, read and written without waiting
};

// Makes a namespace and its devices wan0, wan1 and so on, with the addresses 10.77.PATH.1 (`number` 0) or .2; the calling
// thread is in that namespace afterwards. Throws std::system_error.
End open_end(int number, int paths, int mtu);

// Packets that the devices of an end have dropped, because the emulator did not read them in time. The calling thread is
// in that namespace afterwards.
uint64_t overruns_of(const End& end);

}  // namespace wan
