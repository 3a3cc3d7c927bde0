#pragma once

#include "random.h"

// One round over the kernels that look at content.
void content_round(Random& random, uint64_t round);
