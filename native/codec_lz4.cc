#include <lz4.h>
#include <lz4hc.h>

#include <cstdlib>

#include "codec.h"

namespace oci2iso {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using State = std::unique_ptr<void, Free>;

/** Level 0: the fast encoder. */
class Lz4Encoder final : public BlockEncoder {
 public:
  explicit Lz4Encoder(State state) : state_(std::move(state)) {}

  ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    return LZ4_compress_fast_extState(state_.get(), reinterpret_cast<const char*>(block), reinterpret_cast<char*>(out),
                                      static_cast<int>(length), static_cast<int>(capacity), 1);
  }

 private:
  State state_;
};

/** Levels 1 to 12: the high-compression encoder. */
class Lz4HcEncoder final : public BlockEncoder {
 public:
  Lz4HcEncoder(State state, int level) : state_(std::move(state)), level_(level) {}

  ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    return LZ4_compress_HC_extStateHC(state_.get(), reinterpret_cast<const char*>(block), reinterpret_cast<char*>(out),
                                      static_cast<int>(length), static_cast<int>(capacity), level_);
  }

 private:
  State state_;
  int level_;
};

class Lz4Decoder final : public BlockDecoder {
 public:
  ptrdiff_t Decode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    const int decoded = LZ4_decompress_safe(reinterpret_cast<const char*>(block), reinterpret_cast<char*>(out),
                                            static_cast<int>(length), static_cast<int>(capacity));
    return decoded <= 0 ? kFailed : decoded;
  }
};

std::unique_ptr<BlockEncoder> MakeEncoder(int level, size_t, BranchFilter) {
  State state(std::malloc(static_cast<size_t>(level == 0 ? LZ4_sizeofState() : LZ4_sizeofStateHC())));
  if (state == nullptr) return nullptr;
  if (level == 0) return std::make_unique<Lz4Encoder>(std::move(state));
  return std::make_unique<Lz4HcEncoder>(std::move(state), level);
}

std::unique_ptr<BlockDecoder> MakeDecoder() { return std::make_unique<Lz4Decoder>(); }

}  // namespace

Codec Lz4Codec() {
  return {"lz4", std::string("lz4 ") + LZ4_versionString(), 0, LZ4HC_CLEVEL_MAX, MakeEncoder, MakeDecoder};
}

}  // namespace oci2iso
