#pragma once

#include <napi.h>

#include <memory>

#include "codec.h"

namespace oci2iso {

/**
 * JavaScript class `BlockDecompressor(codec)` with `decompress(block, output): number`: the length, or -1 where the bytes do not decode
 * to 1 to `output.length` bytes. Works on the calling thread.
 */
class BlockDecompressor : public Napi::ObjectWrap<BlockDecompressor> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit BlockDecompressor(const Napi::CallbackInfo& info);

 private:
  Napi::Value Decompress(const Napi::CallbackInfo& info);

  std::unique_ptr<BlockDecoder> decoder_;
};

}  // namespace oci2iso
