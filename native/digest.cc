#include "digest.h"

#include <dlfcn.h>

namespace oci2iso {
namespace {

constexpr unsigned kMaxDigestBytes = 64;

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

}  // namespace

std::unique_ptr<Digest> Digest::Make(const std::string& algorithm) {
  const Evp& evp = Openssl();
  if (!evp.complete) return nullptr;
  const void* method = algorithm == "sha256" ? evp.sha256() : algorithm == "sha512" ? evp.sha512() : nullptr;
  if (method == nullptr) return nullptr;
  void* context = evp.context_new();
  if (context == nullptr) return nullptr;
  std::unique_ptr<Digest> digest(new Digest(context));
  if (evp.init(context, method, nullptr) != 1) return nullptr;
  return digest;
}

Digest::~Digest() { Openssl().context_free(context_); }

void Digest::Update(const uint8_t* bytes, size_t length) noexcept {
  if (Openssl().update(context_, bytes, length) != 1) failed_ = true;
}

std::string Digest::Finish() {
  unsigned char bytes[kMaxDigestBytes];
  unsigned length = 0;
  if (failed_ || Openssl().finish(context_, bytes, &length) != 1) return "";
  std::string hex;
  for (unsigned i = 0; i < length; i++) {
    hex += "0123456789abcdef"[bytes[i] >> 4];
    hex += "0123456789abcdef"[bytes[i] & 15];
  }
  return hex;
}

}  // namespace oci2iso
