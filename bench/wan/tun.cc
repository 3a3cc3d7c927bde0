#include "tun.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

namespace wan {
namespace {

constexpr char kDevicePrefix[] = "wan";
// Bursts of a sender wait here until the emulator has read them: the link's own queue is what should drop.
constexpr int kDeviceQueuePackets = 10'000;

int checked(int result, const std::string& what) {
  if (result == -1) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// A request about one interface.
class Interface {
 public:
  explicit Interface(const std::string& name)
      : name_(name), socket_(checked(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "a socket for " + name)) {}
  ~Interface() { close(socket_); }
  Interface(const Interface&) = delete;
  Interface& operator=(const Interface&) = delete;

  void set_address(const std::string& address, const std::string& mask) {
    set(SIOCSIFADDR, address);
    set(SIOCSIFNETMASK, mask);
  }

  void set_mtu(int mtu) {
    ifreq request = named();
    request.ifr_mtu = mtu;
    ask(SIOCSIFMTU, request);
  }

  void set_queue(int packets) {
    ifreq request = named();
    request.ifr_qlen = packets;
    ask(SIOCSIFTXQLEN, request);
  }

  void set_up() {
    ifreq request = named();
    ask(SIOCGIFFLAGS, request);
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    ask(SIOCSIFFLAGS, request);
  }

 private:
  ifreq named() const {
    ifreq request = {};
    std::strncpy(request.ifr_name, name_.c_str(), IFNAMSIZ - 1);
    return request;
  }

  void set(unsigned long what, const std::string& address) {
    ifreq request = named();
    sockaddr_in place = {};
    place.sin_family = AF_INET;
    if (inet_pton(AF_INET, address.c_str(), &place.sin_addr) != 1) {
      throw std::system_error(EINVAL, std::generic_category(), "the address " + address);
    }
    std::memcpy(&request.ifr_addr, &place, sizeof place);
    ask(what, request);
  }

  void ask(unsigned long what, ifreq& request) { checked(ioctl(socket_, what, &request), "setting up " + name_); }

  const std::string name_;
  const int socket_;
};

std::string address_of(int number, int path) {
  return "10.77." + std::to_string(path) + "." + std::to_string(number + 1);
}

int open_device(const std::string& name) {
  const int device = checked(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "opening /dev/net/tun");
  ifreq request = {};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  checked(ioctl(device, TUNSETIFF, &request), "making the device " + name);
  return device;
}

}  // namespace

End open_end(int number, int paths, int mtu) {
  checked(unshare(CLONE_NEWNET), "making a network namespace (root is needed)");
  End end = {checked(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), "opening the namespace"), {}};
  Interface("lo").set_up();
  for (int path = 0; path < paths; path++) {
    const std::string name = kDevicePrefix + std::to_string(path);
    end.devices.push_back(open_device(name));
    Interface device(name);
    device.set_address(address_of(number, path), "255.255.255.252");
    device.set_mtu(mtu);
    device.set_queue(kDeviceQueuePackets);
    device.set_up();
  }
  return end;
}

uint64_t overruns_of(const End& end) {
  constexpr int kDroppedField = 11;  // after the name: eight of receiving, then bytes, packets, errors and drops of sending
  checked(setns(end.network, CLONE_NEWNET), "entering a namespace");
  std::ifstream table("/proc/thread-self/net/dev");
  uint64_t dropped = 0;
  for (std::string line; std::getline(table, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || line.find(kDevicePrefix) > colon) continue;
    std::istringstream fields(line.substr(colon + 1));
    uint64_t value = 0;
    for (int field = 0; field <= kDroppedField; field++) fields >> value;
    dropped += value;
  }
  return dropped;
}

}  // namespace wan
