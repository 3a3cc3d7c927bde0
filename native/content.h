// What JavaScript sees of the kernels that look at content: chunks, digests, differences.
#pragma once

#include <napi.h>

namespace longhaul {

void export_content(Napi::Env env, Napi::Object exports);

}  // namespace longhaul
