#include <zlib.h>

#include "codec.h"

#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

namespace oci2iso {
namespace {

class ZlibDecoder final : public BlockDecoder {
 public:
  bool Open() { return open_ = inflateInit2(&stream_, 15) == Z_OK; }
  ~ZlibDecoder() override {
    if (open_) inflateEnd(&stream_);
  }

  ptrdiff_t Decode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    if (inflateReset(&stream_) != Z_OK) return kFailed;
    stream_.next_in = const_cast<Bytef*>(block);
    stream_.avail_in = static_cast<uInt>(length);
    stream_.next_out = out;
    stream_.avail_out = static_cast<uInt>(capacity);
    if (inflate(&stream_, Z_FINISH) != Z_STREAM_END || stream_.total_out == 0) return kFailed;
    return static_cast<ptrdiff_t>(stream_.total_out);
  }

 private:
  z_stream stream_{};
  bool open_ = false;
};

std::unique_ptr<BlockDecoder> MakeDecoder() {
  auto decoder = std::make_unique<ZlibDecoder>();
  if (!decoder->Open()) return nullptr;
  return decoder;
}

#ifdef HAVE_LIBDEFLATE

class LibdeflateEncoder final : public BlockEncoder {
 public:
  explicit LibdeflateEncoder(libdeflate_compressor* compressor) : compressor_(compressor) {}
  ~LibdeflateEncoder() override { libdeflate_free_compressor(compressor_); }

  ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    return static_cast<ptrdiff_t>(libdeflate_zlib_compress(compressor_, block, length, out, capacity));
  }

 private:
  libdeflate_compressor* compressor_;
};

std::unique_ptr<BlockEncoder> MakeEncoder(int level, size_t, BranchFilter) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(level);
  return compressor == nullptr ? nullptr : std::make_unique<LibdeflateEncoder>(compressor);
}

#else

class ZlibEncoder final : public BlockEncoder {
 public:
  bool Open(int level) { return open_ = deflateInit2(&stream_, level, Z_DEFLATED, 15, 8, Z_DEFAULT_STRATEGY) == Z_OK; }
  ~ZlibEncoder() override {
    if (open_) deflateEnd(&stream_);
  }

  ptrdiff_t Encode(const uint8_t* block, size_t length, uint8_t* out, size_t capacity) noexcept override {
    if (deflateReset(&stream_) != Z_OK) return kFailed;
    stream_.next_in = const_cast<Bytef*>(block);
    stream_.avail_in = static_cast<uInt>(length);
    stream_.next_out = out;
    stream_.avail_out = static_cast<uInt>(capacity);
    const int status = deflate(&stream_, Z_FINISH);
    if (status == Z_STREAM_END) return static_cast<ptrdiff_t>(stream_.total_out);
    return status == Z_OK || status == Z_BUF_ERROR ? kDoesNotFit : kFailed;
  }

 private:
  z_stream stream_{};
  bool open_ = false;
};

std::unique_ptr<BlockEncoder> MakeEncoder(int level, size_t, BranchFilter) {
  auto encoder = std::make_unique<ZlibEncoder>();
  if (!encoder->Open(level)) return nullptr;
  return encoder;
}

#endif

}  // namespace

Codec DeflateCodec() {
#ifdef HAVE_LIBDEFLATE
  return {"gzip", "libdeflate " LIBDEFLATE_VERSION_STRING, 1, 12, MakeEncoder, MakeDecoder};
#else
  return {"gzip", std::string("zlib ") + zlibVersion(), 1, 9, MakeEncoder, MakeDecoder};
#endif
}

}  // namespace oci2iso
