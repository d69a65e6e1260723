#pragma once

#include <cstddef>
#include <cstdint>

namespace oci2iso {

/** SHA-256 (FIPS 180-4) by the processor's own instructions for it. */
class Sha256 {
 public:
  static constexpr size_t kDigestBytes = 32;

  /** Whether this processor has the instructions. Where it has not, nothing else may be called. */
  static bool IsAvailable();

  void Update(const uint8_t* bytes, size_t length) noexcept;
  /** To be called once, last; `digest` has room for kDigestBytes. */
  void Finish(uint8_t* digest) noexcept;

  /**
   * The same as one Update of each, and then one Finish of each, for two different objects. Whole blocks that both have are taken
   * together, which costs about two thirds of taking them one after the other.
   */
  static void UpdateBoth(Sha256& a, const uint8_t* a_bytes, size_t a_length, Sha256& b, const uint8_t* b_bytes,
                         size_t b_length) noexcept;
  static void FinishBoth(Sha256& a, uint8_t* a_digest, Sha256& b, uint8_t* b_digest) noexcept;

 private:
  static constexpr size_t kBlockBytes = 64;

  /** Completes the block that an earlier call began, as far as the bytes go, and steps over what it took. */
  void TakePartial(const uint8_t*& bytes, size_t& length) noexcept;
  void TakeBlocks(const uint8_t*& bytes, size_t& length, size_t blocks) noexcept;
  /** Of less than a block. */
  void Keep(const uint8_t* bytes, size_t length) noexcept;
  /** Writes the last blocks, one or two. */
  size_t Pad(uint8_t (&padded)[2 * kBlockBytes]) const noexcept;
  void WriteDigest(uint8_t* digest) const noexcept;
  static void TakeBlocksOfBoth(Sha256& a, const uint8_t*& a_bytes, size_t& a_length, Sha256& b, const uint8_t*& b_bytes,
                               size_t& b_length) noexcept;

  /** The words F E B A H G D C, as the instructions want them. */
  alignas(16) uint32_t state_[8] = {0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667,
                                    0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372};
  uint64_t total_bytes_ = 0;
  uint8_t partial_[kBlockBytes];
};

}  // namespace oci2iso
