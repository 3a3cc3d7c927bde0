// The codec as JavaScript sees it: `zstd` of the addon. src/engine/zstd-addon.ts has its types. POSIX only, as the
// bridge.
//
// A stream belongs to the object that JavaScript holds and to the calls under way; the last of them frees it. Calls of
// one stream go one after another on its lane, others beside them, all on threads that disks never wait for.
#pragma once

#include "bridge.h"

#if !defined(_WIN32)

#include <napi.h>

#include "zstd_pieces.h"

namespace longhaul {

class ZstdCodec {
 public:
  explicit ZstdCodec(napi_env env);

  // Called once, when the addon is loaded.
  Napi::Object functions();

 private:
  using Info = Napi::CallbackInfo;

  Napi::Value open_encoder(const Info& info);
  Napi::Value open_decoder(const Info& info);
  Napi::Value compress(const Info& info);
  Napi::Value end(const Info& info);
  Napi::Value decompress(const Info& info);
  Napi::Value compress_piece(const Info& info);
  Napi::Value decompress_piece(const Info& info);
  Napi::Value begin(const Info& info, napi_value kept, std::unique_ptr<Job> job, const void* lane = nullptr);

  Napi::Env env_;
  ZstdPieces pieces_;
  // Behind what its threads use, so that it goes first.
  Bridge bridge_;
};

}  // namespace longhaul

#endif
