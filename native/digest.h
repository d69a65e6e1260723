#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace oci2iso {

class Sha256;

/** A digest of a stream of bytes, made by the fastest means that the processor and node have. */
class Digest {
 public:
  static constexpr size_t kMaxBytes = 64;

  /** "sha256" or "sha512"; nullptr where there are no means, or memory is short. */
  static std::unique_ptr<Digest> Make(const std::string& algorithm);
  virtual ~Digest() = default;
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  virtual void Update(const uint8_t* bytes, size_t length) noexcept = 0;
  /** The digest's length in bytes; 0 where it failed. To be called once; `digest` has room for kMaxBytes. */
  virtual size_t Finish(uint8_t* digest) noexcept = 0;
  /** In lower-case hexadecimal digits; empty where it failed. To be called once. */
  std::string FinishHex();

  /** Whether `UpdateBoth` takes less time than two Updates. */
  static bool ArePaired(Digest& a, Digest& b) { return a.AsSha256() != nullptr && b.AsSha256() != nullptr; }
  /** The same as one Update of each, for two different digests. */
  static void UpdateBoth(Digest& a, const uint8_t* a_bytes, size_t a_length, Digest& b, const uint8_t* b_bytes,
                         size_t b_length) noexcept;
  /** The same bytes for both. */
  static void UpdateBoth(Digest& a, Sha256& b, const uint8_t* bytes, size_t length) noexcept;

 protected:
  Digest() = default;
  /** What can be advanced with another one of its kind; nullptr otherwise. */
  virtual Sha256* AsSha256() noexcept { return nullptr; }
};

}  // namespace oci2iso
