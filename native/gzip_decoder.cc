#include <zlib.h>

#include <algorithm>
#include <new>

#include "inflater.h"
#include "stream_decoder.h"

namespace oci2iso {
namespace {

/** RFC 1952 2.3.1. */
constexpr uint8_t kDeflateMethod = 8;
constexpr uint8_t kHasHeaderCrc = 1 << 1;
constexpr uint8_t kHasExtra = 1 << 2;
constexpr uint8_t kHasName = 1 << 3;
constexpr uint8_t kHasComment = 1 << 4;
constexpr uint8_t kReservedFlags = 0xe0;
constexpr unsigned kFixedHeaderBytes = 10;

/** A member's header, byte by byte. */
class GzipHeader {
 public:
  void Reset() { *this = GzipHeader(); }
  /** Whether the header ends with this byte; `failure` is set where it cannot be one. */
  bool Take(uint8_t byte, const char*& failure) {
    switch (part_) {
      case kFixed:
        Sum(byte);
        if (!TakeFixed(byte, failure)) return false;
        return Begin(kExtraLength);
      case kExtraLength:
        Sum(byte);
        extra_left_ |= static_cast<unsigned>(byte) << (8 * taken_);
        if (++taken_ < 2) return false;
        return extra_left_ > 0 ? Stay(kExtra) : Begin(kName);
      case kExtra:
        Sum(byte);
        return --extra_left_ > 0 ? false : Begin(kName);
      case kName:
        Sum(byte);
        return byte != 0 ? false : Begin(kComment);
      case kComment:
        Sum(byte);
        return byte != 0 ? false : Begin(kCrc);
      default:
        if (byte != (crc_ >> (8 * taken_) & 0xff)) failure = "the header's checksum does not match";
        return ++taken_ == 2;
    }
  }

 private:
  enum Part { kFixed, kExtraLength, kExtra, kName, kComment, kCrc };

  bool TakeFixed(uint8_t byte, const char*& failure) {
    switch (taken_++) {
      case 0:
        if (byte != 0x1f) failure = "it does not begin with a gzip header";
        return false;
      case 1:
        if (byte != 0x8b) failure = "it does not begin with a gzip header";
        return false;
      case 2:
        if (byte != kDeflateMethod) failure = "its compression method is not known";
        return false;
      case 3:
        if ((byte & kReservedFlags) != 0) failure = "its header has flags that are not known";
        flags_ = byte;
        return false;
      default:
        return taken_ == kFixedHeaderBytes;
    }
  }

  bool Stay(Part part) {
    part_ = part;
    return false;
  }

  /** Goes to this optional part, or the next one that the flags announce; true where there is none. */
  bool Begin(Part part) {
    taken_ = 0;
    if (part <= kExtraLength && (flags_ & kHasExtra) != 0) return Stay(kExtraLength);
    if (part <= kName && (flags_ & kHasName) != 0) return Stay(kName);
    if (part <= kComment && (flags_ & kHasComment) != 0) return Stay(kComment);
    return (flags_ & kHasHeaderCrc) != 0 ? Stay(kCrc) : true;
  }

  void Sum(uint8_t byte) { crc_ = static_cast<uint32_t>(crc32(crc_, &byte, 1)); }

  Part part_ = kFixed;
  uint8_t flags_ = 0;
  unsigned taken_ = 0;
  unsigned extra_left_ = 0;
  uint32_t crc_ = 0;
};

class GzipDecoder final : public StreamDecoder {
 public:
  size_t Decode(Input& input, uint8_t* out, size_t capacity, std::string& error) noexcept override {
    const uint8_t* in = input.next;
    const uint8_t* const in_end = in + input.left;
    uint8_t* at = out;
    const char* failure = nullptr;
    while (Advance(in, in_end, at, out + capacity, failure) && failure == nullptr) {
    }
    if (failure != nullptr) error = failure;
    input = {in, static_cast<size_t>(in_end - in)};
    return static_cast<size_t>(at - out);
  }

  bool IsComplete() const override { return state_ == kBetween || state_ == kPadding; }

 private:
  /** One step; false where it needs more input or room. */
  bool Advance(const uint8_t*& in, const uint8_t* in_end, uint8_t*& out, uint8_t* out_end, const char*& failure) {
    if (state_ == kData) return Inflate(in, in_end, out, out_end, failure);
    if (in == in_end) return false;
    switch (state_) {
      case kBetween:
        state_ = *in == 0 ? kPadding : kHeader;
        header_.Reset();
        return true;
      case kPadding:
        if (std::any_of(in, in_end, [](uint8_t byte) { return byte != 0; }))
          failure = "bytes follow the end of the gzip data";
        in = in_end;
        return false;
      case kHeader:
        if (header_.Take(*in++, failure)) BeginData();
        return true;
      default:
        TakeTrailer(*in++, failure);
        return true;
    }
  }

  void BeginData() {
    inflater_.Reset();
    crc_ = 0;
    byte_length_ = 0;
    trailer_ = 0;
    trailer_bytes_ = 0;
    state_ = kData;
  }

  bool Inflate(const uint8_t*& in, const uint8_t* in_end, uint8_t*& out, uint8_t* out_end, const char*& failure) {
    const uint8_t* const begin = out;
    const Inflater::Status status = inflater_.Run(in, in_end, out, out_end);
    const size_t produced = static_cast<size_t>(out - begin);
    if (produced > 0) crc_ = static_cast<uint32_t>(crc32(crc_, begin, static_cast<uInt>(produced)));
    byte_length_ += static_cast<uint32_t>(produced);
    if (status == Inflater::Status::kBroken) failure = inflater_.failure();
    if (status == Inflater::Status::kComplete) state_ = kTrailer;
    return status == Inflater::Status::kComplete;
  }

  /** The content's CRC-32, then its length modulo 2^32. */
  void TakeTrailer(uint8_t byte, const char*& failure) {
    trailer_ |= static_cast<uint64_t>(byte) << (8 * trailer_bytes_++);
    if (trailer_bytes_ == 4 && trailer_ != crc_) failure = "the checksum of the data does not match";
    if (trailer_bytes_ < 8) return;
    if (trailer_ >> 32 != byte_length_) failure = "the length of the data does not match";
    state_ = kBetween;
  }

  enum { kHeader, kData, kTrailer, kBetween, kPadding } state_ = kHeader;
  GzipHeader header_;
  uint32_t crc_ = 0;
  uint32_t byte_length_ = 0;
  uint64_t trailer_ = 0;
  unsigned trailer_bytes_ = 0;
  Inflater inflater_;
};

}  // namespace

std::unique_ptr<StreamDecoder> MakeGzipDecoder() { return std::unique_ptr<GzipDecoder>(new (std::nothrow) GzipDecoder); }

}  // namespace oci2iso
