#include "block_decompressor.h"

#include <climits>

#include "arguments.h"

namespace oci2iso {
namespace {

constexpr napi_type_tag kTag = {0x6f63693269736f02, 0x8a0e6d7b44f19c35};

}  // namespace

Napi::Function BlockDecompressor::Define(Napi::Env env) {
  return DefineClass(env, "BlockDecompressor", {InstanceMethod<&BlockDecompressor::Decompress>("decompress")});
}

BlockDecompressor::BlockDecompressor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BlockDecompressor>(info) {
  const std::string name = StringArgument(info, 0);
  const Codec* codec = FindCodec(name);
  if (codec == nullptr) throw Napi::RangeError::New(info.Env(), "no decoder for " + name);
  decoder_ = codec->make_decoder();
  if (decoder_ == nullptr) throw Napi::Error::New(info.Env(), "not enough memory for a " + name + " decoder");
  napi_type_tag_object(info.Env(), info.This(), &kTag);
}

Napi::Value BlockDecompressor::Decompress(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  const Bytes block = BytesArgument(info, 0);
  const Bytes output = BytesArgument(info, 1);
  if (block.length > INT_MAX || output.length > INT_MAX)
    throw Napi::RangeError::New(info.Env(), "a block is shorter than 2 GiB");
  const ptrdiff_t decoded = block.length == 0 || output.length == 0
                                ? kFailed
                                : decoder_->Decode(block.data, block.length, output.data, output.length);
  return Napi::Number::New(info.Env(), static_cast<double>(decoded));
}

}  // namespace oci2iso
