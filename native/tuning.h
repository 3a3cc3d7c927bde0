// What JavaScript sees of the options of sockets.
#pragma once

#if !defined(_WIN32)

#include <napi.h>

namespace longhaul {

void export_tuning(Napi::Env env, Napi::Object exports);

}  // namespace longhaul

#endif
