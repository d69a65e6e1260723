#include "stream_decoder.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace oci2iso {
namespace {

class ZstdStreamDecoder final : public StreamDecoder {
 public:
  explicit ZstdStreamDecoder(ZSTD_DCtx* context) : context_(context) {}
  ~ZstdStreamDecoder() override { ZSTD_freeDCtx(context_); }

  size_t Decode(Input& input, uint8_t* out, size_t capacity, std::string& error) noexcept override {
    ZSTD_outBuffer output = {out, capacity, 0};
    for (;;) {
      ZSTD_inBuffer in = {input.next, input.left, 0};
      const size_t produced_before = output.pos;
      const size_t hint = ZSTD_decompressStream(context_, &output, &in);
      input.next += in.pos;
      input.left -= in.pos;
      if (ZSTD_isError(hint)) {
        error = ZSTD_getErrorName(hint);
        return output.pos;
      }
      // Without input or output the decoder answers about the next frame, which has not begun.
      const bool moved = in.pos > 0 || output.pos > produced_before;
      if (moved) between_frames_ = hint == 0;
      if (output.pos == capacity || !moved) return output.pos;
    }
  }

  bool IsComplete() const override { return between_frames_; }

 private:
  ZSTD_DCtx* context_;
  bool between_frames_ = true;
};

class CopyDecoder final : public StreamDecoder {
 public:
  size_t Decode(Input& input, uint8_t* out, size_t capacity, std::string&) noexcept override {
    const size_t length = std::min(input.left, capacity);
    std::memcpy(out, input.next, length);
    input.next += length;
    input.left -= length;
    return length;
  }

  bool IsComplete() const override { return true; }
};

}  // namespace

std::unique_ptr<StreamDecoder> MakeZstdDecoder(int max_window_log) {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  if (context == nullptr) return nullptr;
  ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, max_window_log);
  return std::make_unique<ZstdStreamDecoder>(context);
}

std::unique_ptr<StreamDecoder> MakeCopyDecoder() { return std::make_unique<CopyDecoder>(); }

}  // namespace oci2iso
