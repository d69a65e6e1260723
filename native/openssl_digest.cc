#include "openssl_digest.h"

#include <dlfcn.h>

#include <new>

namespace oci2iso {
namespace {

/** The part of OpenSSL's EVP interface that is used (EVP_DigestInit(3)); the same since version 1.1. */
struct Evp {
  void* (*context_new)();
  void (*context_free)(void*);
  const void* (*sha256)();
  const void* (*sha512)();
  int (*init)(void*, const void*, void*);
  int (*update)(void*, const void*, size_t);
  int (*finish)(void*, unsigned char*, unsigned*);
  bool complete;
};

template <typename Function>
bool Find(const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return function != nullptr;
}

const Evp& Openssl() {
  static const Evp evp = [] {
    Evp found{};
    found.complete = Find("EVP_MD_CTX_new", found.context_new) && Find("EVP_MD_CTX_free", found.context_free) &&
                     Find("EVP_sha256", found.sha256) && Find("EVP_sha512", found.sha512) &&
                     Find("EVP_DigestInit_ex", found.init) && Find("EVP_DigestUpdate", found.update) &&
                     Find("EVP_DigestFinal_ex", found.finish);
    return found;
  }();
  return evp;
}

class OpensslDigest : public Digest {
 public:
  explicit OpensslDigest(void* context) : context_(context) {}
  ~OpensslDigest() override { Openssl().context_free(context_); }

  void Update(const uint8_t* bytes, size_t length) noexcept override {
    if (Openssl().update(context_, bytes, length) != 1) failed_ = true;
  }

  size_t Finish(uint8_t* digest) noexcept override {
    unsigned length = 0;
    return !failed_ && Openssl().finish(context_, digest, &length) == 1 ? length : 0;
  }

 private:
  void* context_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Digest> MakeOpensslDigest(const std::string& algorithm) {
  const Evp& evp = Openssl();
  if (!evp.complete) return nullptr;
  const void* method = algorithm == "sha256" ? evp.sha256() : algorithm == "sha512" ? evp.sha512() : nullptr;
  if (method == nullptr) return nullptr;
  void* context = evp.context_new();
  if (context == nullptr) return nullptr;
  std::unique_ptr<Digest> digest(new (std::nothrow) OpensslDigest(context));
  if (digest == nullptr) evp.context_free(context);
  if (digest == nullptr || evp.init(context, method, nullptr) != 1) return nullptr;
  return digest;
}

}  // namespace oci2iso
