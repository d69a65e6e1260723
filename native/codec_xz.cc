#include "codec.h"

#ifdef HAVE_LIBLZMA
#include <lzma.h>

#include <algorithm>

namespace oci2iso {
namespace {

/** The kernel's decoder gets a dictionary of the block size, and of a metadata block's 8 KiB at least. */
constexpr size_t kMinDictionaryBytes = 8192;
/** Enough for any dictionary of a 1 MiB block; a block that asks for more is hostile. */
constexpr uint64_t kDecoderMemoryBytes = 16u << 20;

class XzEncoder final : public BlockEncoder {
 public:
  explicit XzEncoder(const lzma_options_lzma& options) : options_(options) {}

  ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options_}, {LZMA_VLI_UNKNOWN, nullptr}};
    size_t position = 0;
    // The kernel knows no check beyond CRC32.
    const lzma_ret status = lzma_stream_buffer_encode(const_cast<lzma_filter*>(filters), LZMA_CHECK_CRC32, nullptr,
                                                      block, length, out, &position, capacity);
    if (status == LZMA_OK) return static_cast<ptrdiff_t>(position);
    return status == LZMA_BUF_ERROR ? kDoesNotFit : kFailed;
  }

 private:
  lzma_options_lzma options_;
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

std::unique_ptr<BlockEncoder> MakeEncoder(int level, size_t max_block_bytes) {
  lzma_options_lzma options;
  if (lzma_lzma_preset(&options, static_cast<uint32_t>(level))) return nullptr;
  options.dict_size = static_cast<uint32_t>(std::max(max_block_bytes, kMinDictionaryBytes));
  return std::make_unique<XzEncoder>(options);
}

std::unique_ptr<BlockDecoder> MakeDecoder() { return std::make_unique<XzDecoder>(); }

}  // namespace

Codec XzCodec() { return {"xz", std::string("liblzma ") + lzma_version_string(), 0, 9, MakeEncoder, MakeDecoder}; }

}  // namespace oci2iso
#endif
