#include "crc64.h"

#include <cstring>

#include "arguments.h"

namespace oci2iso {
namespace {

constexpr size_t kWordBytes = 8;
constexpr size_t kVectors = 4;

/** Two words, which every processor of 64 bits has instructions for. */
typedef uint64_t Words __attribute__((vector_size(2 * kWordBytes)));

uint64_t LittleEndian(uint64_t word) noexcept {
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}

Words LittleEndian(Words words) noexcept { return Words{LittleEndian(words[0]), LittleEndian(words[1])}; }

template <typename Value>
Value Load(const uint8_t* bytes) noexcept {
  Value value;
  std::memcpy(&value, bytes, sizeof value);
  return LittleEndian(value);
}

/** Times x^64, which is x^4 + x^3 + x + 1; so is what the shifts lose. */
uint64_t Shift64(uint64_t crc) noexcept {
  crc ^= crc << 63 ^ crc << 61 ^ crc << 60;
  return crc ^ crc >> 1 ^ crc >> 3 ^ crc >> 4;
}

/** Times x^512, which is the same to the eighth power: x^32 + x^24 + x^8 + 1. */
Words Shift512(Words crc) noexcept {
  const Words lost = crc << 32 ^ crc << 40 ^ crc << 56;
  return crc ^ crc >> 8 ^ crc >> 24 ^ crc >> 32 ^ lost ^ lost >> 1 ^ lost >> 3 ^ lost >> 4;
}

}  // namespace

uint64_t UpdateCrc64(uint64_t crc, const uint8_t* bytes, size_t length) noexcept {
  const uint8_t* const end = bytes + length;
  constexpr ptrdiff_t kStride = kVectors * sizeof(Words);
  if (end - bytes >= 2 * kStride) {
    // Every eighth word by itself: they wait for nothing of each other's.
    Words lanes[kVectors] = {{crc, 0}};
    for (; end - bytes >= 2 * kStride; bytes += kStride)
      for (size_t i = 0; i < kVectors; i++) lanes[i] = Shift512(lanes[i] ^ Load<Words>(bytes + i * sizeof(Words)));
    crc = 0;
    for (const Words lane : lanes)
      for (size_t i = 0; i < 2; i++, bytes += kWordBytes) crc = Shift64(crc ^ lane[i] ^ Load<uint64_t>(bytes));
  }
  for (; end - bytes >= static_cast<ptrdiff_t>(kWordBytes); bytes += kWordBytes) crc = Shift64(crc ^ Load<uint64_t>(bytes));
  for (; bytes < end; bytes++) {
    const uint64_t lost = (crc ^ *bytes) << 56;
    crc = crc >> 8 ^ lost ^ lost >> 1 ^ lost >> 3 ^ lost >> 4;
  }
  return crc;
}

namespace {

void UpdateState(const Napi::CallbackInfo& info) {
  const Bytes bytes = BytesArgument(info, 0);
  if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array ||
      info[1].As<Napi::Int32Array>().ElementLength() < 2)
    throw Napi::TypeError::New(info.Env(), "argument 1 must be an Int32Array of 2");
  int32_t* const state = info[1].As<Napi::Int32Array>().Data();
  const uint64_t low = static_cast<uint32_t>(state[0]);
  const uint64_t high = static_cast<uint32_t>(state[1]);
  const uint64_t crc = UpdateCrc64(high << 32 | low, bytes.data, bytes.length);
  state[0] = static_cast<int32_t>(crc & 0xffffffff);
  state[1] = static_cast<int32_t>(crc >> 32);
}

}  // namespace

void DefineCrc64(Napi::Env env, Napi::Object exports) { exports.Set("crc64", Napi::Function::New<UpdateState>(env, "crc64")); }

}  // namespace oci2iso
