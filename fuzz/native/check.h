// How a target says that it has found something.
#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the program when it does not hold; whoever drives the target keeps the input.
inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "check failed: %s\n", what);
  std::abort();
}
