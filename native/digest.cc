#include "digest.h"

#include <new>

#include "hex.h"
#include "openssl_digest.h"
#include "sha256.h"

namespace oci2iso {
namespace {

class Sha256Digest : public Digest {
 public:
  void Update(const uint8_t* bytes, size_t length) noexcept override { sha256_.Update(bytes, length); }

  size_t Finish(uint8_t* digest) noexcept override {
    sha256_.Finish(digest);
    return Sha256::kDigestBytes;
  }

 protected:
  Sha256* AsSha256() noexcept override { return &sha256_; }

 private:
  Sha256 sha256_;
};

}  // namespace

std::unique_ptr<Digest> Digest::Make(const std::string& algorithm) {
  if (algorithm == "sha256" && Sha256::IsAvailable()) return std::unique_ptr<Digest>(new (std::nothrow) Sha256Digest);
  return MakeOpensslDigest(algorithm);
}

std::string Digest::FinishHex() {
  uint8_t digest[kMaxBytes];
  return Hex(digest, Finish(digest));
}

void Digest::UpdateBoth(Digest& a, const uint8_t* a_bytes, size_t a_length, Digest& b, const uint8_t* b_bytes,
                        size_t b_length) noexcept {
  Sha256* const a_sha256 = a.AsSha256();
  Sha256* const b_sha256 = b.AsSha256();
  if (a_sha256 != nullptr && b_sha256 != nullptr)
    return Sha256::UpdateBoth(*a_sha256, a_bytes, a_length, *b_sha256, b_bytes, b_length);
  a.Update(a_bytes, a_length);
  b.Update(b_bytes, b_length);
}

void Digest::UpdateBoth(Digest& a, Sha256& b, const uint8_t* bytes, size_t length) noexcept {
  Sha256* const a_sha256 = a.AsSha256();
  if (a_sha256 != nullptr) return Sha256::UpdateBoth(*a_sha256, bytes, length, b, bytes, length);
  a.Update(bytes, length);
  b.Update(bytes, length);
}

}  // namespace oci2iso
