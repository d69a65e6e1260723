#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__) && !defined(OCI2ISO_PORTABLE_LANES)
#include <emmintrin.h>
#define OCI2ISO_SSE2_LANES
#endif

/* What the match finder does to 16 bytes at once. Inlined into functions for wider processors, which then use their own instructions. */
#define OCI2ISO_INLINE inline __attribute__((always_inline))

namespace oci2iso {

constexpr unsigned kBucketEntries = 4;
constexpr unsigned kTagBits = 12;

/** Puts `entry` first in a bucket, and the oldest out. */
OCI2ISO_INLINE void PushEntry(uint32_t* bucket, uint32_t entry) {
#ifdef OCI2ISO_SSE2_LANES
  __m128i* const lanes = reinterpret_cast<__m128i*>(bucket);
  _mm_store_si128(lanes, _mm_or_si128(_mm_slli_si128(_mm_load_si128(lanes), 4), _mm_cvtsi32_si128(static_cast<int>(entry))));
#else
  std::memmove(bucket + 1, bucket, (kBucketEntries - 1) * sizeof *bucket);
  bucket[0] = entry;
#endif
}

/** The same, and before that: the positions in the bucket go to `positions`; bit i of the result says whether the tag of entry i is `entry`'s. */
OCI2ISO_INLINE uint32_t SearchBucket(uint32_t* bucket, uint32_t entry, uint32_t* positions) {
#ifdef OCI2ISO_SSE2_LANES
  __m128i* const lanes = reinterpret_cast<__m128i*>(bucket);
  const __m128i entries = _mm_load_si128(lanes);
  const __m128i differing_tags = _mm_slli_epi32(_mm_xor_si128(entries, _mm_set1_epi32(static_cast<int>(entry))), 32 - kTagBits);
  const __m128i alike = _mm_cmpeq_epi32(differing_tags, _mm_setzero_si128());
  _mm_store_si128(reinterpret_cast<__m128i*>(positions), _mm_srli_epi32(entries, kTagBits));
  _mm_store_si128(lanes, _mm_or_si128(_mm_slli_si128(entries, 4), _mm_cvtsi32_si128(static_cast<int>(entry))));
  return static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(alike)));
#else
  uint32_t alike = 0;
  for (unsigned at = 0; at < kBucketEntries; at++) {
    positions[at] = bucket[at] >> kTagBits;
    alike |= static_cast<uint32_t>((bucket[at] ^ entry) << (32 - kTagBits) == 0) << at;
  }
  PushEntry(bucket, entry);
  return alike;
#endif
}

/** Bit i says whether byte i of the 16 at `a` differs from that at `b`. */
OCI2ISO_INLINE uint32_t DifferingBytes(const uint8_t* a, const uint8_t* b) {
#ifdef OCI2ISO_SSE2_LANES
  const __m128i alike = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)),
                                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
  return 0xFFFF ^ static_cast<uint32_t>(_mm_movemask_epi8(alike));
#else
  uint32_t differing = 0;
  for (unsigned at = 0; at < 16; at++) differing |= static_cast<uint32_t>(a[at] != b[at]) << at;
  return differing;
#endif
}

}  // namespace oci2iso
