#include "zstd_inflater.h"

#include <climits>

#include "arguments.h"

namespace oci2iso {
namespace {

constexpr napi_type_tag kTag = {0x6f63693269736f03, 0xc5b18e2290d7f36a};

}  // namespace

Napi::Function ZstdInflater::Define(Napi::Env env) {
  return DefineClass(env, "ZstdInflater", {InstanceMethod<&ZstdInflater::Step>("step")});
}

ZstdInflater::ZstdInflater(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ZstdInflater>(info) {
  const ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
  const int max_window_log = static_cast<int>(IntegerArgument(info, 0, bounds.lowerBound, bounds.upperBound));
  context_.reset(ZSTD_createDCtx());
  if (context_ == nullptr) throw Napi::Error::New(info.Env(), "not enough memory for a zstd decoder");
  ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, max_window_log);
  napi_type_tag_object(info.Env(), info.This(), &kTag);
}

Napi::Value ZstdInflater::Step(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  Napi::Env env = info.Env();
  const Bytes input = BytesArgument(info, 0);
  const int64_t offset = IntegerArgument(info, 1, 0, static_cast<int64_t>(input.length));
  const Bytes output = BytesArgument(info, 2);
  if (input.length > INT_MAX || output.length > INT_MAX)
    throw Napi::RangeError::New(env, "a chunk is shorter than 2 GiB");
  const Napi::Value value = info[3];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array ||
      value.As<Napi::Int32Array>().ElementLength() < 2)
    throw Napi::TypeError::New(env, "argument 3 must be an Int32Array of 2");

  ZSTD_inBuffer in = {input.data + offset, input.length - static_cast<size_t>(offset), 0};
  ZSTD_outBuffer out = {output.data, output.length, 0};
  const size_t hint = ZSTD_decompressStream(context_.get(), &out, &in);
  int32_t* progress = value.As<Napi::Int32Array>().Data();
  progress[0] = static_cast<int32_t>(in.pos);
  progress[1] = static_cast<int32_t>(out.pos);
  if (ZSTD_isError(hint)) return Napi::String::New(env, ZSTD_getErrorName(hint));
  return Napi::Number::New(env, hint == 0 ? 1 : 0);
}

}  // namespace oci2iso
