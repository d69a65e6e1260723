#include "block_digester.h"

#include <algorithm>
#include <cstring>

#include "zero_bytes.h"

namespace oci2iso {
namespace {

// POSIX.1-1988 (ustar)
constexpr size_t kSizeOffset = 124;
constexpr size_t kSizeBytes = 12;
constexpr size_t kTypeOffset = 156;
constexpr uint64_t kMaxSize = uint64_t{1} << 53;

/** The member's size in octal digits or, as GNU writes it, in base 256; kMaxSize where it is neither. */
uint64_t SizeOf(const uint8_t* header) noexcept {
  const uint8_t* field = header + kSizeOffset;
  uint64_t size = 0;
  if (field[0] == 0x80) {
    for (size_t i = 1; i < kSizeBytes; i++) {
      if (size >= kMaxSize >> 8) return kMaxSize;
      size = size << 8 | field[i];
    }
    return size;
  }
  size_t i = 0;
  while (i < kSizeBytes && field[i] == ' ') i++;
  for (; i < kSizeBytes && field[i] >= '0' && field[i] <= '7'; i++) size = size << 3 | (field[i] - '0');
  return i < kSizeBytes && field[i] != ' ' && field[i] != 0 ? kMaxSize : size;
}

}  // namespace

size_t BlockDigester::Update(const uint8_t* bytes, size_t length, Digest* archive, uint8_t* table,
                             size_t capacity) noexcept {
  size_t count = 0;
  while (length > 0) {
    size_t taken = length;
    if (is_lost_) {
      if (archive != nullptr) archive->Update(bytes, length);
    } else if (body_left_ > 0) {
      taken = static_cast<size_t>(std::min<uint64_t>(length, body_left_));
      if (is_file_) taken = std::min(taken, block_bytes_ - block_filled_);
      TakeBody(bytes, taken, archive);
      if (is_file_ && EndsBlock()) {
        if (count < capacity) {
          uint8_t* entry = table + count++ * kEntryBytes;
          const double start = static_cast<double>(offset_ + taken - block_filled_);
          const uint32_t block_length = static_cast<uint32_t>(block_filled_);
          std::memcpy(entry, &start, sizeof start);
          std::memcpy(entry + 8, &block_length, sizeof block_length);
          block_.Finish(entry + 16);
        }
        block_ = Sha256();
        block_filled_ = 0;
      }
    } else {
      // padding and headers
      const size_t padding = static_cast<size_t>(std::min<uint64_t>(length, padding_left_));
      const size_t of_header = std::min(length - padding, kRecordBytes - header_filled_);
      taken = padding + of_header;
      if (archive != nullptr) archive->Update(bytes, taken);
      padding_left_ -= padding;
      std::memcpy(header_ + header_filled_, bytes + padding, of_header);
      header_filled_ += of_header;
      if (header_filled_ == kRecordBytes) TakeHeader();
    }
    offset_ += taken;
    bytes += taken;
    length -= taken;
  }
  return count;
}

void BlockDigester::TakeHeader() noexcept {
  header_filled_ = 0;
  if (IsZero(header_, kRecordBytes)) return;
  const uint64_t size = SizeOf(header_);
  const uint8_t type = header_[kTypeOffset];
  // the old sparse format has more headers than sizes say
  if (size >= kMaxSize || type == 'S') {
    is_lost_ = true;
    return;
  }
  is_file_ = type == '0' || type == 0 || type == '7';
  // what is no file has a body only where it is an extension of the next header or a name that another system gave a meaning
  const bool has_body = is_file_ || type < '1' || type > '6';
  body_left_ = has_body ? size : 0;
  padding_left_ = (kRecordBytes - body_left_ % kRecordBytes) % kRecordBytes;
}

void BlockDigester::TakeBody(const uint8_t* bytes, size_t length, Digest* archive) noexcept {
  body_left_ -= length;
  if (!is_file_) {
    if (archive != nullptr) archive->Update(bytes, length);
    return;
  }
  block_filled_ += length;
  if (archive == nullptr) block_.Update(bytes, length);
  else Digest::UpdateBoth(*archive, block_, bytes, length);
}

}  // namespace oci2iso
