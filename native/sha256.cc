#include "sha256.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace oci2iso {
namespace {

#if defined(__x86_64__)

alignas(16) constexpr uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool HasInstructions() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (ebx & bit_SHA) == 0) return false;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4_1) != 0 && (ecx & bit_SSSE3) != 0;
}

/**
 * Advances independent streams by as many blocks each. Two rounds of one stream wait for the two before, twice as long as the processor
 * needs to begin others: the rounds of a second stream fill the gaps, so they stand between those of the first.
 */
template <int kStreams>
__attribute__((target("sha,sse4.1"))) void Compress(uint32_t* const (&states)[kStreams],
                                                    const uint8_t* const (&bytes)[kStreams], size_t blocks) noexcept {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const uint8_t* from[kStreams];
  __m128i feba[kStreams], hgdc[kStreams], schedule[kStreams][4];
  for (int s = 0; s < kStreams; s++) {
    from[s] = bytes[s];
    feba[s] = _mm_load_si128(reinterpret_cast<const __m128i*>(states[s]));
    hgdc[s] = _mm_load_si128(reinterpret_cast<const __m128i*>(states[s]) + 1);
  }
  for (; blocks > 0; blocks--) {
    __m128i feba_before[kStreams], hgdc_before[kStreams];
    for (int s = 0; s < kStreams; s++) {
      feba_before[s] = feba[s];
      hgdc_before[s] = hgdc[s];
      for (int i = 0; i < 4; i++)
        schedule[s][i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from[s]) + i), big_endian);
      from[s] += 64;
    }
#pragma GCC unroll 16
    for (int group = 0; group < 16; group++) {
      const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants) + group);
      __m128i words[kStreams];
#pragma GCC unroll 2
      for (int s = 0; s < kStreams; s++) {
        words[s] = _mm_add_epi32(schedule[s][group & 3], constants);
        hgdc[s] = _mm_sha256rnds2_epu32(hgdc[s], feba[s], words[s]);
      }
#pragma GCC unroll 2
      for (int s = 0; s < kStreams; s++)
        feba[s] = _mm_sha256rnds2_epu32(feba[s], hgdc[s], _mm_shuffle_epi32(words[s], 0x0e));
      if (group >= 12) continue;
#pragma GCC unroll 2
      for (int s = 0; s < kStreams; s++) {
        __m128i(&w)[4] = schedule[s];
        __m128i next = _mm_sha256msg1_epu32(w[group & 3], w[(group + 1) & 3]);
        next = _mm_add_epi32(next, _mm_alignr_epi8(w[(group + 3) & 3], w[(group + 2) & 3], 4));
        w[group & 3] = _mm_sha256msg2_epu32(next, w[(group + 3) & 3]);
      }
    }
    for (int s = 0; s < kStreams; s++) {
      feba[s] = _mm_add_epi32(feba[s], feba_before[s]);
      hgdc[s] = _mm_add_epi32(hgdc[s], hgdc_before[s]);
    }
  }
  for (int s = 0; s < kStreams; s++) {
    _mm_store_si128(reinterpret_cast<__m128i*>(states[s]), feba[s]);
    _mm_store_si128(reinterpret_cast<__m128i*>(states[s]) + 1, hgdc[s]);
  }
}

#else

bool HasInstructions() { return false; }

template <int kStreams>
void Compress(uint32_t* const (&)[kStreams], const uint8_t* const (&)[kStreams], size_t) noexcept {}

#endif

}  // namespace

bool Sha256::IsAvailable() {
  static const bool available = HasInstructions();
  return available;
}

void Sha256::Update(const uint8_t* bytes, size_t length) noexcept {
  TakePartial(bytes, length);
  TakeBlocks(bytes, length, length / kBlockBytes);
  Keep(bytes, length);
}

void Sha256::UpdateBoth(Sha256& a, const uint8_t* a_bytes, size_t a_length, Sha256& b, const uint8_t* b_bytes,
                        size_t b_length) noexcept {
  a.TakePartial(a_bytes, a_length);
  b.TakePartial(b_bytes, b_length);
  TakeBlocksOfBoth(a, a_bytes, a_length, b, b_bytes, b_length);
  a.Keep(a_bytes, a_length);
  b.Keep(b_bytes, b_length);
}

void Sha256::Finish(uint8_t* digest) noexcept {
  uint8_t padded[2 * kBlockBytes];
  const uint8_t* bytes = padded;
  size_t length = Pad(padded);
  TakeBlocks(bytes, length, length / kBlockBytes);
  WriteDigest(digest);
}

void Sha256::FinishBoth(Sha256& a, uint8_t* a_digest, Sha256& b, uint8_t* b_digest) noexcept {
  uint8_t a_padded[2 * kBlockBytes], b_padded[2 * kBlockBytes];
  const uint8_t* a_bytes = a_padded;
  const uint8_t* b_bytes = b_padded;
  size_t a_length = a.Pad(a_padded);
  size_t b_length = b.Pad(b_padded);
  TakeBlocksOfBoth(a, a_bytes, a_length, b, b_bytes, b_length);
  a.WriteDigest(a_digest);
  b.WriteDigest(b_digest);
}

void Sha256::TakePartial(const uint8_t*& bytes, size_t& length) noexcept {
  const size_t held = total_bytes_ % kBlockBytes;
  total_bytes_ += length;
  if (held == 0 || length == 0) return;
  const size_t taken = std::min(length, kBlockBytes - held);
  std::memcpy(partial_ + held, bytes, taken);
  bytes += taken;
  length -= taken;
  if (held + taken == kBlockBytes) Compress<1>({state_}, {partial_}, 1);
}

void Sha256::TakeBlocks(const uint8_t*& bytes, size_t& length, size_t blocks) noexcept {
  if (blocks == 0) return;
  Compress<1>({state_}, {bytes}, blocks);
  bytes += blocks * kBlockBytes;
  length -= blocks * kBlockBytes;
}

void Sha256::TakeBlocksOfBoth(Sha256& a, const uint8_t*& a_bytes, size_t& a_length, Sha256& b, const uint8_t*& b_bytes,
                              size_t& b_length) noexcept {
  const size_t blocks = std::min(a_length, b_length) / kBlockBytes;
  if (blocks > 0) {
    Compress<2>({a.state_, b.state_}, {a_bytes, b_bytes}, blocks);
    a_bytes += blocks * kBlockBytes;
    a_length -= blocks * kBlockBytes;
    b_bytes += blocks * kBlockBytes;
    b_length -= blocks * kBlockBytes;
  }
  a.TakeBlocks(a_bytes, a_length, a_length / kBlockBytes);
  b.TakeBlocks(b_bytes, b_length, b_length / kBlockBytes);
}

void Sha256::Keep(const uint8_t* bytes, size_t length) noexcept {
  if (length > 0) std::memcpy(partial_, bytes, length);
}

size_t Sha256::Pad(uint8_t (&padded)[2 * kBlockBytes]) const noexcept {
  const size_t held = total_bytes_ % kBlockBytes;
  const size_t length = held + 1 + 8 <= kBlockBytes ? kBlockBytes : 2 * kBlockBytes;
  std::memcpy(padded, partial_, held);
  padded[held] = 0x80;
  std::memset(padded + held + 1, 0, length - 8 - held - 1);
  for (size_t i = 0; i < 8; i++) padded[length - 1 - i] = static_cast<uint8_t>((total_bytes_ * 8) >> (8 * i));
  return length;
}

void Sha256::WriteDigest(uint8_t* digest) const noexcept {
  constexpr int kPlaces[8] = {3, 2, 7, 6, 1, 0, 5, 4};
  for (size_t i = 0; i < kDigestBytes; i++) digest[i] = static_cast<uint8_t>(state_[kPlaces[i / 4]] >> (24 - i % 4 * 8));
}

}  // namespace oci2iso
