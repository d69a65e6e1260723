#include "sha256_functions.h"

#include <cstring>
#include <memory>

#include "arguments.h"
#include "digest.h"
#include "sha256.h"

namespace oci2iso {
namespace {

/** Where in argument `index` the digests go, with the offset in the argument behind it. */
uint8_t* OutputArgument(const Napi::CallbackInfo& info, size_t index, size_t length) {
  const Bytes output = BytesArgument(info, index);
  if (output.length < length) throw Napi::RangeError::New(info.Env(), "the output has no room for the digest");
  return output.data + IntegerArgument(info, index + 1, 0, static_cast<int64_t>(output.length - length));
}

void DigestSlowly(const Napi::CallbackInfo& info, Bytes bytes, uint8_t* digest) {
  const std::unique_ptr<Digest> sha256 = Digest::Make("sha256");
  uint8_t made[Digest::kMaxBytes];
  if (sha256 != nullptr) sha256->Update(bytes.data, bytes.length);
  if (sha256 == nullptr || sha256->Finish(made) != Sha256::kDigestBytes)
    throw Napi::Error::New(info.Env(), "no digest sha256");
  std::memcpy(digest, made, Sha256::kDigestBytes);
}

void DigestOne(const Napi::CallbackInfo& info) {
  const Bytes bytes = BytesArgument(info, 0);
  uint8_t* const output = OutputArgument(info, 1, Sha256::kDigestBytes);
  if (!Sha256::IsAvailable()) return DigestSlowly(info, bytes, output);
  Sha256 sha256;
  sha256.Update(bytes.data, bytes.length);
  sha256.Finish(output);
}

void DigestPair(const Napi::CallbackInfo& info) {
  const Bytes a_bytes = BytesArgument(info, 0);
  const Bytes b_bytes = BytesArgument(info, 1);
  uint8_t* const output = OutputArgument(info, 2, 2 * Sha256::kDigestBytes);
  if (!Sha256::IsAvailable()) {
    uint8_t made[2 * Sha256::kDigestBytes];
    DigestSlowly(info, a_bytes, made);
    DigestSlowly(info, b_bytes, made + Sha256::kDigestBytes);
    std::memcpy(output, made, sizeof made);
    return;
  }
  Sha256 a, b;
  Sha256::UpdateBoth(a, a_bytes.data, a_bytes.length, b, b_bytes.data, b_bytes.length);
  Sha256::FinishBoth(a, output, b, output + Sha256::kDigestBytes);
}

}  // namespace

void DefineSha256(Napi::Env env, Napi::Object exports) {
  exports.Set("fastSha256", Sha256::IsAvailable());
  exports.Set("sha256", Napi::Function::New<DigestOne>(env, "sha256"));
  exports.Set("sha256Pair", Napi::Function::New<DigestPair>(env, "sha256Pair"));
}

}  // namespace oci2iso
