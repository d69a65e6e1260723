#include <zstd_errors.h>

#include <utility>

#include "codec.h"
#include "match_finder.h"
#include "zstd_parameters.h"

namespace oci2iso {
namespace {

class ZstdEncoder final : public BlockEncoder {
 public:
  /** With a `finder` the matches are those it finds. */
  ZstdEncoder(ZSTD_CCtx* context, std::unique_ptr<MatchFinder> finder) : context_(context), finder_(std::move(finder)) {
    if (finder_ != nullptr) ZSTD_registerSequenceProducer(context_, finder_.get(), MatchFinder::Produce);
  }
  ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }

  ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    if (finder_ != nullptr) finder_->Begin(block, length);
    // One shot: the size is known to the encoder, so the window never exceeds the block (the kernel's limit).
    const size_t encoded = ZSTD_compress2(context_, out, capacity, block, length);
    if (!ZSTD_isError(encoded)) return static_cast<ptrdiff_t>(encoded);
    return ZSTD_getErrorCode(encoded) == ZSTD_error_dstSize_tooSmall ? kDoesNotFit : kFailed;
  }

 private:
  ZSTD_CCtx* context_;
  std::unique_ptr<MatchFinder> finder_;
};

class ZstdDecoder final : public BlockDecoder {
 public:
  explicit ZstdDecoder(ZSTD_DCtx* context) : context_(context) {}
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  ptrdiff_t Decode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    const size_t decoded = ZSTD_decompressDCtx(context_, out, capacity, block, length);
    return ZSTD_isError(decoded) || decoded == 0 ? kFailed : static_cast<ptrdiff_t>(decoded);
  }

 private:
  ZSTD_DCtx* context_;
};

std::unique_ptr<BlockEncoder> MakeEncoder(int level, size_t max_block_bytes, BranchFilter) {
  std::unique_ptr<MatchFinder> finder;
  if (WantsMatchFinder(level, max_block_bytes)) {
    finder = MatchFinder::Make(max_block_bytes);
    if (finder == nullptr) return nullptr;
  }
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (context == nullptr) return nullptr;
  SetZstdParameters(context, level, max_block_bytes);
  return std::make_unique<ZstdEncoder>(context, std::move(finder));
}

std::unique_ptr<BlockDecoder> MakeDecoder() {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  return context == nullptr ? nullptr : std::make_unique<ZstdDecoder>(context);
}

}  // namespace

Codec ZstdCodec() {
  const std::string encoder = std::string("zstd ") + ZSTD_versionString() + "+" + ZSTD_PARAMETERS_REVISION;
  return {"zstd", encoder, 1, ZSTD_maxCLevel(), MakeEncoder, MakeDecoder};
}

}  // namespace oci2iso
