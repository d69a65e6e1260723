#include <napi.h>

#include "block_compressor.h"
#include "block_copier.h"
#include "block_decompressor.h"
#include "codec.h"
#include "content_digester.h"
#include "crc64.h"
#include "digest.h"
#include "file_digester.h"
#include "file_lock.h"
#include "layer_inflater.h"
#include "sha256_functions.h"
#include "zstd_inflater.h"

namespace {

/** `{ zstd: { encoder: "zstd 1.5.7", minLevel: 1, maxLevel: 22, filters: [] }, … }`, without the codecs that this build lacks. */
Napi::Object DescribeCodecs(Napi::Env env) {
  Napi::Object described = Napi::Object::New(env);
  for (const char* name : {"zstd", "gzip", "xz", "lz4"}) {
    const oci2iso::Codec* codec = oci2iso::FindCodec(name);
    if (codec == nullptr) continue;
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("encoder", codec->encoder);
    entry.Set("minLevel", codec->min_level);
    entry.Set("maxLevel", codec->max_level);
    Napi::Array filters = Napi::Array::New(env);
    for (const std::string& filter : codec->filters) filters.Set(filters.Length(), filter);
    entry.Set("filters", filters);
    described.Set(name, entry);
  }
  return described;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("codecs", DescribeCodecs(env));
  exports.Set("BlockCompressor", oci2iso::BlockCompressor::Define(env));
  exports.Set("BlockCopier", oci2iso::BlockCopier::Define(env));
  exports.Set("BlockDecompressor", oci2iso::BlockDecompressor::Define(env));
  exports.Set("ContentDigester", oci2iso::ContentDigester::Define(env));
  exports.Set("ZstdInflater", oci2iso::ZstdInflater::Define(env));
  exports.Set("digests", oci2iso::Digest::Make("sha256") != nullptr && oci2iso::Digest::Make("sha512") != nullptr);
  exports.Set("LayerInflater", oci2iso::LayerInflater::Define(env));
  oci2iso::DefineSha256(env, exports);
  oci2iso::DefineCrc64(env, exports);
  exports.Set("FileDigester", oci2iso::FileDigester::Define(env));
  oci2iso::DefineFileLock(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(oci2iso, Init)
