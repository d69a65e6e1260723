#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace oci2iso {

/** What an encoder or decoder answers instead of a length. */
constexpr ptrdiff_t kDoesNotFit = 0;
constexpr ptrdiff_t kFailed = -1;

/** One reusable context; used by one thread at a time. */
class BlockEncoder {
 public:
  virtual ~BlockEncoder() = default;
  /** Encodes one block on its own. Returns the length, kDoesNotFit where it would exceed `capacity`, or kFailed. */
  virtual ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept = 0;
};

class BlockDecoder {
 public:
  virtual ~BlockDecoder() = default;
  /** Returns the length, or kFailed where the bytes do not decode to 1 to `capacity` bytes. */
  virtual ptrdiff_t Decode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept = 0;
};

/** What a block may go through before the compressor; only xz has any. `kChosen`: x86 where a block looks as if it helps. The others are tried beside none, and the shorter one is taken. */
enum class BranchFilter { kChosen, kNone, kX86, kArm64 };

/** One compressor of the squashfs format as this build holds it. */
struct Codec {
  const char* name;
  /** The library that makes the bytes, and its version: the same two give the same bytes. */
  std::string encoder;
  int min_level;
  int max_level;
  /** nullptr when memory is short. `max_block_bytes` bounds what Encode will be given; `filter` is one of `filters`, or kChosen. */
  std::unique_ptr<BlockEncoder> (*make_encoder)(int level, size_t max_block_bytes, BranchFilter filter);
  std::unique_ptr<BlockDecoder> (*make_decoder)();
  /** Names of what `make_encoder` takes. */
  std::vector<std::string> filters = {};
};

/** The codec of that name, or nullptr when this build lacks it. */
const Codec* FindCodec(const std::string& name);

Codec ZstdCodec();
Codec DeflateCodec();
Codec Lz4Codec();
#ifdef HAVE_LIBLZMA
Codec XzCodec();
#endif

}  // namespace oci2iso
