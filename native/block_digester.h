#pragma once

#include <cstddef>
#include <cstdint>

#include "digest.h"
#include "sha256.h"

namespace oci2iso {

/**
 * Digests the contents of a tar archive's files, in blocks that begin with each file, while the archive passes. What it takes for a content is a guess from
 * the members' sizes alone: who uses a digest must know that the content is where the digest says, at an offset of the archive. It gives up where sizes do
 * not say it, until the archive ends.
 *
 * To be used only where `Sha256::IsAvailable()`.
 */
class BlockDigester {
 public:
  /** Of one digest: offset in the archive (double), length in bytes (uint32), nothing (uint32), SHA-256. Little-endian: there are instructions for SHA-256 on x86 alone. */
  static constexpr size_t kEntryBytes = 48;

  explicit BlockDigester(size_t block_bytes) : block_bytes_(block_bytes) {}

  /** Takes the archive's next bytes, for `archive` too where that is none; writes entries to `table` for the blocks that end in them, and returns how many. */
  size_t Update(const uint8_t* bytes, size_t length, Digest* archive, uint8_t* table, size_t capacity) noexcept;

 private:
  static constexpr size_t kRecordBytes = 512;

  void TakeHeader() noexcept;
  void TakeBody(const uint8_t* bytes, size_t length, Digest* archive) noexcept;
  bool EndsBlock() const noexcept { return block_filled_ == block_bytes_ || body_left_ == 0; }

  const size_t block_bytes_;
  uint64_t offset_ = 0;
  bool is_lost_ = false;
  uint8_t header_[kRecordBytes];
  size_t header_filled_ = 0;
  /** Bytes of the member that are still to come, and whether they are a file's. */
  uint64_t body_left_ = 0;
  bool is_file_ = false;
  uint64_t padding_left_ = 0;
  size_t block_filled_ = 0;
  Sha256 block_;
};

}  // namespace oci2iso
