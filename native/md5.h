#pragma once

#include <cstddef>
#include <cstdint>

namespace oci2iso {

/** MD5 (RFC 1321). A copy goes on from where the original was. */
class Md5 {
 public:
  static constexpr size_t kDigestBytes = 16;

  void Update(const uint8_t* bytes, size_t length) noexcept;
  /** To be called once, last; `digest` has room for kDigestBytes. */
  void Finish(uint8_t* digest) noexcept;

 private:
  static constexpr size_t kBlockBytes = 64;

  void Compress(const uint8_t* bytes, size_t blocks) noexcept;

  uint32_t state_[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  uint64_t total_bytes_ = 0;
  uint8_t partial_[kBlockBytes];
};

}  // namespace oci2iso
