#include "codec.h"

#ifdef HAVE_LIBLZMA
#include <lzma.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace oci2iso {
namespace {

constexpr size_t kMetadataBlockBytes = 8192;
/** The kernel's decoder gets a dictionary of the block size, and of a metadata block's 8 KiB at least. */
constexpr size_t kMinDictionaryBytes = kMetadataBlockBytes;
/** Of what is decided here. Part of the encoder's name, and with that of the key of every cached block. */
constexpr char kRevision[] = "1";
/** The .xz file format 1.1.0, 5.3.2; headers before liblzma 5.4 have no name for it. */
constexpr lzma_vli kArm64Filter = 0x0A;
/** Enough for any dictionary of a 1 MiB block; a block that asks for more is hostile. */
constexpr uint64_t kDecoderMemoryBytes = 16u << 20;

/**
 * Whether a block holds x86 machine code that has been linked, judged by its calls and jumps with a distance of 32 bits (opcodes E8 and E9): near ones, which the
 * x86 filter makes alike, against those of distance 0 that a linker is to fill in, as in kernel modules, which it makes unlike. Measured on the 128 KiB blocks
 * of a Debian system: 2.0 % fewer bytes in all, where knowing the outcome of both ways would give 2.1 %, and filtering what begins with an ELF header 1.4 to 1.9 %.
 */
bool IsLinkedX86(const uint8_t* block, size_t length) {
  constexpr uint32_t kNear = 1 << 24;
  constexpr ptrdiff_t kBlockBytesPerCall = 250;
  constexpr ptrdiff_t kWeightOfUnlinked = 2;
  ptrdiff_t score = 0;
  for (size_t at = 0; at + 5 <= length; at++) {
    if ((block[at] & 0xfe) != 0xe8) continue;
    const uint32_t distance = block[at + 1] | static_cast<uint32_t>(block[at + 2]) << 8 |
                              static_cast<uint32_t>(block[at + 3]) << 16 | static_cast<uint32_t>(block[at + 4]) << 24;
    if (distance == 0) score -= kWeightOfUnlinked;
    else if (distance < kNear || distance > UINT32_MAX - kNear) score++;
  }
  return score * kBlockBytesPerCall > static_cast<ptrdiff_t>(length);
}

class XzEncoder final : public BlockEncoder {
 public:
  /** Throws std::bad_alloc. */
  XzEncoder(const lzma_options_lzma& options, BranchFilter filter, size_t max_block_bytes)
      : options_(options), filter_(filter), other_(TriesBoth() ? max_block_bytes : 0) {}

  ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    if (!TriesBoth()) return EncodeWith(filter_ == BranchFilter::kChosen && IsLinkedX86(block, length), block, length, out, capacity);
    const ptrdiff_t plain = EncodeWith(false, block, length, out, capacity);
    if (plain == kFailed) return kFailed;
    const size_t shorter = plain == kDoesNotFit ? capacity : static_cast<size_t>(plain) - 1;
    const ptrdiff_t filtered = EncodeWith(true, block, length, other_.data(), std::min(shorter, other_.size()));
    if (filtered == kDoesNotFit) return plain;
    if (filtered > 0) std::memcpy(out, other_.data(), static_cast<size_t>(filtered));
    return filtered;
  }

 private:
  bool TriesBoth() const { return filter_ == BranchFilter::kX86 || filter_ == BranchFilter::kArm64; }

  ptrdiff_t EncodeWith(bool filtered, const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept {
    lzma_filter filters[] = {{filter_ == BranchFilter::kArm64 ? kArm64Filter : LZMA_FILTER_X86, nullptr},
                             {LZMA_FILTER_LZMA2, &options_},
                             {LZMA_VLI_UNKNOWN, nullptr}};
    lzma_filter* const chain = filtered ? filters : filters + 1;
    size_t position = 0;
    // The kernel knows no check beyond CRC32.
    const lzma_ret status =
        lzma_stream_buffer_encode(chain, LZMA_CHECK_CRC32, nullptr, block, length, out, &position, capacity);
    if (status == LZMA_OK) return static_cast<ptrdiff_t>(position);
    return status == LZMA_BUF_ERROR ? kDoesNotFit : kFailed;
  }

  lzma_options_lzma options_;
  BranchFilter filter_;
  /** What the filter's outcome is compared in. */
  std::vector<uint8_t> other_;
};

class XzDecoder final : public BlockDecoder {
 public:
  ptrdiff_t Decode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    uint64_t memory_limit = kDecoderMemoryBytes;
    size_t consumed = 0;
    size_t produced = 0;
    const lzma_ret status =
        lzma_stream_buffer_decode(&memory_limit, 0, nullptr, block, &consumed, length, out, &produced, capacity);
    return status != LZMA_OK || produced == 0 ? kFailed : static_cast<ptrdiff_t>(produced);
  }
};

/**
 * Level 6 for blocks of up to 128 KiB is preset 4 with a cheaper match finder: a quarter less processor time than preset 6, whose size is reached, and passed by
 * 1 %, thanks to the filter.
 */
bool SetOptions(int level, size_t max_block_bytes, lzma_options_lzma& options) {
  const bool is_tuned = level == 6 && max_block_bytes > kMetadataBlockBytes && max_block_bytes <= 1 << 17;
  if (lzma_lzma_preset(&options, is_tuned ? 4 : static_cast<uint32_t>(level))) return false;
  if (is_tuned) {
    options.mf = LZMA_MF_HC4;
    options.nice_len = 32;
    options.depth = 16;
  }
  return true;
}

std::unique_ptr<BlockEncoder> MakeEncoder(int level, size_t max_block_bytes, BranchFilter filter) {
  lzma_options_lzma options;
  if (!SetOptions(level, max_block_bytes, options)) return nullptr;
  options.dict_size = static_cast<uint32_t>(std::max(max_block_bytes, kMinDictionaryBytes));
  return std::make_unique<XzEncoder>(options, filter, max_block_bytes);
}

std::unique_ptr<BlockDecoder> MakeDecoder() { return std::make_unique<XzDecoder>(); }

}  // namespace

Codec XzCodec() {
  const std::string encoder = std::string("liblzma ") + lzma_version_string() + "+" + kRevision;
  std::vector<std::string> filters = {"none", "x86"};
  if (lzma_filter_encoder_is_supported(kArm64Filter)) filters.push_back("arm64");
  return {"xz", encoder, 0, 9, MakeEncoder, MakeDecoder, filters};
}

}  // namespace oci2iso
#endif
