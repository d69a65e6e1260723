#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace oci2iso {

/** Decodes a stream that arrives in pieces; used by one thread at a time. */
class StreamDecoder {
 public:
  struct Input {
    const uint8_t* next;
    size_t left;
  };

  virtual ~StreamDecoder() = default;
  /**
   * Decodes until the input is used up or `capacity` bytes came out; advances `input`. Returns the bytes that came out, fewer than
   * `capacity` only where nothing more comes without more input. After a failure `error` is not empty.
   */
  virtual size_t Decode(Input& input, uint8_t* out, size_t capacity, std::string& error) noexcept = 0;
  /** Whether the stream may end here. */
  virtual bool IsComplete() const = 0;
};

/** Gzip members one after another (RFC 1952 2.2); zeros after the last one are padding. nullptr when memory is short. */
std::unique_ptr<StreamDecoder> MakeGzipDecoder();
/** Zstd frames and skippable frames (RFC 8878 3). */
std::unique_ptr<StreamDecoder> MakeZstdDecoder(int max_window_log);
/** Hands on what it is given. */
std::unique_ptr<StreamDecoder> MakeCopyDecoder();

}  // namespace oci2iso
