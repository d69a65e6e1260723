#include "digest_variants.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "arguments.h"
#include "digest.h"
#include "md5.h"
#include "openssl_digest.h"
#include "sha256.h"

namespace oci2iso {
namespace {

using Factory = std::function<std::unique_ptr<Digest>()>;

class Md5Digest : public Digest {
 public:
  void Update(const uint8_t* bytes, size_t length) noexcept override { md5_.Update(bytes, length); }

  size_t Finish(uint8_t* digest) noexcept override {
    md5_.Finish(digest);
    return Md5::kDigestBytes;
  }

 private:
  Md5 md5_;
};

std::vector<Bytes> PiecesArgument(const Napi::CallbackInfo& info, size_t index) {
  Napi::Env env = info.Env();
  const std::string wrong = "argument " + std::to_string(index) + " must be an array of Uint8Arrays";
  if (!info[index].IsArray()) throw Napi::TypeError::New(env, wrong);
  const Napi::Array array = info[index].As<Napi::Array>();
  std::vector<Bytes> pieces;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value value = array[i];
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw Napi::TypeError::New(env, wrong);
    Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
    pieces.push_back({bytes.Data(), bytes.ByteLength()});
  }
  return pieces;
}

Napi::Value DigestStreams(const Napi::CallbackInfo& info, const Factory& make) {
  const std::vector<Bytes> a_pieces = PiecesArgument(info, 0);
  const std::vector<Bytes> b_pieces = PiecesArgument(info, 1);
  const std::unique_ptr<Digest> a = make();
  const std::unique_ptr<Digest> b = make();
  if (a == nullptr || b == nullptr) throw Napi::Error::New(info.Env(), "not enough memory for a digest");
  const size_t both = std::min(a_pieces.size(), b_pieces.size());
  for (size_t i = 0; i < both; i++)
    Digest::UpdateBoth(*a, a_pieces[i].data, a_pieces[i].length, *b, b_pieces[i].data, b_pieces[i].length);
  for (size_t i = both; i < a_pieces.size(); i++) a->Update(a_pieces[i].data, a_pieces[i].length);
  for (size_t i = both; i < b_pieces.size(); i++) b->Update(b_pieces[i].data, b_pieces[i].length);
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0u, a->FinishHex());
  pair.Set(1u, b->FinishHex());
  return pair;
}

}  // namespace

Napi::Object DescribeDigestVariants(Napi::Env env) {
  Napi::Object variants = Napi::Object::New(env);
  const auto add = [&](const char* name, Factory make) {
    variants.Set(name, Napi::Function::New(
                           env, [make](const Napi::CallbackInfo& info) { return DigestStreams(info, make); }, name));
  };
  if (Sha256::IsAvailable()) add("sha256 processor", [] { return Digest::Make("sha256"); });
  for (const char* algorithm : {"sha256", "sha512"})
    if (MakeOpensslDigest(algorithm) != nullptr)
      add(algorithm == std::string("sha256") ? "sha256 openssl" : "sha512 openssl",
          [algorithm] { return MakeOpensslDigest(algorithm); });
  add("md5", [] { return std::make_unique<Md5Digest>(); });
  return variants;
}

}  // namespace oci2iso
