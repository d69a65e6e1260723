#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace oci2iso {

/**
 * A digest made by the OpenSSL that node itself carries, found at run time: no header is needed to build and no library to load.
 * It uses the processor's hash instructions.
 */
class Digest {
 public:
  /** "sha256" or "sha512"; nullptr where node does not export OpenSSL or memory is short. */
  static std::unique_ptr<Digest> Make(const std::string& algorithm);
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void Update(const uint8_t* bytes, size_t length) noexcept;
  /** In lower-case hexadecimal digits; empty where OpenSSL failed. To be called once. */
  std::string Finish();

 private:
  explicit Digest(void* context) : context_(context) {}

  void* context_;
  bool failed_ = false;
};

}  // namespace oci2iso
