#include "md5.h"

#include <algorithm>
#include <cstring>

namespace oci2iso {
namespace {

constexpr uint32_t kSines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

inline uint32_t LoadLittleEndian(const uint8_t* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap32(value);
#endif
  return value;
}

/** The four words, the newest of which is b. */
struct Words {
  uint32_t a, b, c, d;

  void Step(uint32_t sum, const int (&shifts)[4], int i) {
    const int shift = shifts[i & 3];
    const uint32_t next = (sum << shift | sum >> (32 - shift)) + b;
    a = d;
    d = c;
    c = b;
    b = next;
  }
};

}  // namespace

/**
 * Every step waits for the b of the one before and for nothing else, so all that counts is how many operations stand between two: the sums
 * begin with what does not depend on b, which leaves 5, 4, 4 and 5 for the four functions.
 */
void Md5::Compress(const uint8_t* bytes, size_t blocks) noexcept {
  constexpr int kShifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  Words w = {state_[0], state_[1], state_[2], state_[3]};
  for (; blocks > 0; blocks--, bytes += kBlockBytes) {
    const Words before = w;
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
      w.Step(w.a + LoadLittleEndian(bytes + 4 * i) + kSines[i] + ((w.b & (w.c ^ w.d)) ^ w.d), kShifts[0], i);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
      w.Step(w.a + LoadLittleEndian(bytes + 4 * ((5 * i + 1) & 15)) + kSines[16 + i] + (w.c & ~w.d) + (w.b & w.d),
             kShifts[1], i);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
      w.Step(w.a + LoadLittleEndian(bytes + 4 * ((3 * i + 5) & 15)) + kSines[32 + i] + (w.b ^ (w.c ^ w.d)),
             kShifts[2], i);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
      w.Step(w.a + LoadLittleEndian(bytes + 4 * ((7 * i) & 15)) + kSines[48 + i] + ((w.b | ~w.d) ^ w.c),
             kShifts[3], i);
    w.a += before.a;
    w.b += before.b;
    w.c += before.c;
    w.d += before.d;
  }
  state_[0] = w.a;
  state_[1] = w.b;
  state_[2] = w.c;
  state_[3] = w.d;
}

void Md5::Update(const uint8_t* bytes, size_t length) noexcept {
  if (length == 0) return;
  const size_t held = total_bytes_ % kBlockBytes;
  total_bytes_ += length;
  if (held > 0) {
    const size_t taken = std::min(length, kBlockBytes - held);
    std::memcpy(partial_ + held, bytes, taken);
    bytes += taken;
    length -= taken;
    if (held + taken < kBlockBytes) return;
    Compress(partial_, 1);
  }
  Compress(bytes, length / kBlockBytes);
  const size_t rest = length % kBlockBytes;
  if (rest > 0) std::memcpy(partial_, bytes + length - rest, rest);
}

void Md5::Finish(uint8_t* digest) noexcept {
  uint8_t padding[kBlockBytes + 8] = {0x80};
  const size_t held = total_bytes_ % kBlockBytes;
  const size_t zeros_end = (held < kBlockBytes - 8 ? kBlockBytes : 2 * kBlockBytes) - 8 - held;
  for (size_t i = 0; i < 8; i++) padding[zeros_end + i] = static_cast<uint8_t>((total_bytes_ * 8) >> (8 * i));
  Update(padding, zeros_end + 8);
  for (size_t i = 0; i < kDigestBytes; i++) digest[i] = static_cast<uint8_t>(state_[i / 4] >> (i % 4 * 8));
}

}  // namespace oci2iso
