// A system's call again until no signal interrupts it.
#pragma once

#include <cerrno>

namespace longhaul {

template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace longhaul
