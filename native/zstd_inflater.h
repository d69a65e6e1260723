#pragma once

#include <napi.h>
#include <zstd.h>

#include <memory>

namespace oci2iso {

/**
 * JavaScript class `ZstdInflater(maxWindowLog)`: a stream of zstd frames and skippable frames (RFC 8878), on the calling thread.
 *
 * `step(input, inputOffset, output, progress: Int32Array): 0 | 1 | string` decodes as much as fits, stores the bytes consumed and produced
 * into progress[0] and [1], and returns 1 when the decoder stands between two frames, 0 within one, and zstd's own name of the error.
 */
class ZstdInflater : public Napi::ObjectWrap<ZstdInflater> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit ZstdInflater(const Napi::CallbackInfo& info);

 private:
  struct FreeContext {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  Napi::Value Step(const Napi::CallbackInfo& info);

  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
};

}  // namespace oci2iso
