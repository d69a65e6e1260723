#include "match_finder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "match_lanes.h"

namespace oci2iso {
namespace {

constexpr unsigned kMinMatch = 4;
/** Matches of this length and more are taken without looking for a better one at the next position. */
constexpr uint32_t kGoodMatch = 16;
/** No match begins in the last bytes of a part: everything may read 16 bytes. */
constexpr uint32_t kMarginBytes = 16;
/** Of a longer match only the first and last positions go into the tables. */
constexpr uint32_t kWholeMatch = 32;
constexpr uint32_t kMatchHead = 12;
constexpr uint32_t kMatchTail = 8;
/** Where nothing matched for 2^8 bytes, every second position is searched, and so on. */
constexpr unsigned kSkipShift = 8;
constexpr unsigned kMaxBucketBits = 15;
constexpr unsigned kMaxLatestBits = 15;
constexpr size_t kCacheLineBytes = 64;

/** `length` below kMinMatch: none. */
struct Match {
  uint32_t length;
  uint32_t offset;
};

/** Little-endian, so that the hashes are the same everywhere. */
template <typename Number>
OCI2ISO_INLINE Number Read(const uint8_t* at) {
  Number value;
  std::memcpy(&value, at, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = sizeof value == 4 ? __builtin_bswap32(static_cast<uint32_t>(value)) : __builtin_bswap64(value);
#endif
  return value;
}

/** Multiplicative hashes; the primes are 2^32 and 2^64 over the golden ratio. */
OCI2ISO_INLINE uint32_t HashOfFour(const uint8_t* at) { return Read<uint32_t>(at) * 2654435761U; }
OCI2ISO_INLINE uint32_t HashOfSix(const uint8_t* at) {
  return static_cast<uint32_t>(((Read<uint64_t>(at) << 16) * 0x9E3779B185EBCA87ULL) >> 32);
}

OCI2ISO_INLINE uint32_t EntryOf(uint32_t position, uint32_t hash) {
  return position << kTagBits | (hash >> 4 & ((1U << kTagBits) - 1));
}

/** How many bytes are the same from `a` and the earlier `b` on, up to `end`. */
OCI2ISO_INLINE uint32_t CommonLength(const uint8_t* a, const uint8_t* b, const uint8_t* end) {
  const uint8_t* const start = a;
  for (; end - a >= 16; a += 16, b += 16) {
    const uint32_t differing = DifferingBytes(a, b);
    if (differing != 0) return static_cast<uint32_t>(a - start) + static_cast<uint32_t>(__builtin_ctz(differing));
  }
  for (; a < end && *a == *b; a++, b++) {
  }
  return static_cast<uint32_t>(a - start);
}

OCI2ISO_INLINE int Log2(uint32_t value) { return 31 - __builtin_clz(value); }

/** Bits that a match's offset costs, about; that of the last match once more costs none. */
OCI2ISO_INLINE int CostOf(const Match& match, bool is_repeated) { return is_repeated ? 0 : Log2(match.offset + 3); }

unsigned BitsFor(size_t entries, unsigned most) {
  unsigned bits = 6;
  while (bits < most && size_t{1} << bits < entries) bits++;
  return bits;
}

}  // namespace

std::unique_ptr<MatchFinder> MatchFinder::Make(size_t max_block_bytes) {
  const unsigned bucket_bits = BitsFor(max_block_bytes / kBucketEntries, kMaxBucketBits);
  const unsigned latest_bits = BitsFor(max_block_bytes, kMaxLatestBits);
  const size_t bytes = ((size_t{kBucketEntries} << bucket_bits) + (size_t{1} << latest_bits)) * sizeof(uint32_t);
  void* const memory = max_block_bytes > kMaxBlockBytes ? nullptr : std::aligned_alloc(kCacheLineBytes, bytes);
  if (memory == nullptr) return nullptr;
  return std::unique_ptr<MatchFinder>(new MatchFinder(static_cast<uint32_t*>(memory), bucket_bits, latest_bits));
}

MatchFinder::MatchFinder(uint32_t* buckets, unsigned bucket_bits, unsigned latest_bits)
    : max_bucket_bits_(bucket_bits),
      max_latest_bits_(latest_bits),
      tables_{buckets, buckets + (size_t{kBucketEntries} << bucket_bits), 0, 0} {}

MatchFinder::~MatchFinder() { std::free(tables_.buckets); }

void MatchFinder::Begin(const uint8_t* block, size_t length) {
  // Tables no larger than the block needs: clearing them is a part of the time of a small one.
  const unsigned bucket_bits = BitsFor(length / kBucketEntries, max_bucket_bits_);
  const unsigned latest_bits = BitsFor(length, max_latest_bits_);
  std::memset(tables_.buckets, 0, (size_t{kBucketEntries} << bucket_bits) * sizeof(uint32_t));
  std::memset(tables_.latest, 0, (size_t{1} << latest_bits) * sizeof(uint32_t));
  tables_.bucket_shift = 32 - bucket_bits;
  tables_.latest_shift = 32 - latest_bits;
  block_ = block;
  next_ = 0;
  last_offset_ = 0;
  offset_before_ = 0;
}

namespace {

/** The tables and the part in hand; a local copy, so that writing to a table does not make the compiler read it again. */
struct Search {
  uint32_t* const buckets;
  uint32_t* const latest;
  const unsigned bucket_shift;
  const unsigned latest_shift;
  const uint8_t* const block;
  const uint8_t* const end;

  OCI2ISO_INLINE uint32_t* BucketOf(uint32_t hash) const { return buckets + size_t{hash >> bucket_shift} * kBucketEntries; }

  OCI2ISO_INLINE void Insert(uint32_t position) const {
    const uint8_t* const at = block + position;
    const uint32_t hash = HashOfSix(at);
    PushEntry(BucketOf(hash), EntryOf(position, hash));
    latest[HashOfFour(at) >> latest_shift] = position;
  }

  OCI2ISO_INLINE void InsertAll(uint32_t from, uint32_t to) const {
    for (uint32_t position = from; position < to; position++) Insert(position);
  }

  OCI2ISO_INLINE void InsertMatch(uint32_t from, uint32_t to) const {
    if (to <= from) return;
    if (to - from <= kWholeMatch) return InsertAll(from, to);
    InsertAll(from, from + kMatchHead);
    InsertAll(to - kMatchTail, to);
  }

  /** The longest of the remembered matches for a position from 1 on, the nearest of those; and remembers the position. */
  OCI2ISO_INLINE Match FindAndInsert(uint32_t position) const {
    const uint8_t* const at = block + position;
    const uint32_t hash = HashOfSix(at);
    alignas(16) uint32_t positions[kBucketEntries];
    uint32_t alike = SearchBucket(BucketOf(hash), EntryOf(position, hash), positions);
    uint32_t* const slot = latest + (HashOfFour(at) >> latest_shift);
    uint32_t candidate = *slot;
    *slot = position;
    Match best = {kMinMatch - 1, 0};
    for (;;) {
      const uint32_t differing = DifferingBytes(at, block + candidate);
      const uint32_t length = __builtin_expect(differing == 0, 0)
                                  ? 16 + CommonLength(at + 16, block + candidate + 16, end)
                                  : static_cast<uint32_t>(__builtin_ctz(differing));
      const bool is_longer = length > best.length;
      best.length = is_longer ? length : best.length;
      best.offset = is_longer ? position - candidate : best.offset;
      if (alike == 0) return best;
      candidate = positions[__builtin_ctz(alike)];
      alike &= alike - 1;
    }
  }

  /** Length of the match at `position` with a former match's offset; 0 where there is none. */
  OCI2ISO_INLINE uint32_t RepeatedLength(uint32_t position, uint32_t offset) const {
    const uint8_t* const at = block + position;
    if (Read<uint32_t>(at) != Read<uint32_t>(at - offset) || offset == 0) return 0;
    return kMinMatch + CommonLength(at + kMinMatch, at + kMinMatch - offset, end);
  }
};

}  // namespace

OCI2ISO_INLINE size_t MatchFinder::FindInline(ZSTD_Sequence* sequences, const uint8_t* part, size_t length) {
  const Search search = {tables_.buckets, tables_.latest, tables_.bucket_shift, tables_.latest_shift, block_, part + length};
  const uint32_t end = static_cast<uint32_t>(part + length - block_);
  const uint32_t limit = end - std::min<uint32_t>(kMarginBytes, static_cast<uint32_t>(length));
  uint32_t last_offset = last_offset_, offset_before = offset_before_;
  uint32_t anchor = static_cast<uint32_t>(part - block_), position = anchor;
  ZSTD_Sequence* next = sequences;
  if (position < limit) {
    search.InsertAll(next_, position);
    // Position 0 is what an empty table says, too.
    if (position == 0) search.Insert(position++);
  }
  while (position < limit) {
    Match match = {search.RepeatedLength(position + 1, last_offset), last_offset};
    bool is_repeated = match.length > 0;
    uint32_t start = position + is_repeated;
    const Match found = search.FindAndInsert(position);
    uint32_t inserted = position + 1;
    if (found.offset != 0 && found.length > match.length) {
      match = found;
      is_repeated = false;
      start = position;
    }
    if (match.length == 0) {
      position += ((position - anchor) >> kSkipShift) + 1;
      continue;
    }
    while (match.length < kGoodMatch && position + 1 < limit) {
      position++;
      const Match repeated = {search.RepeatedLength(position, last_offset), last_offset};
      const int worth = static_cast<int>(match.length) * 3 - CostOf(match, is_repeated) + 1;
      if (repeated.length > 0 && static_cast<int>(repeated.length) * 3 > worth) {
        match = repeated;
        is_repeated = true;
        start = position;
      }
      const Match later = search.FindAndInsert(position);
      inserted = position + 1;
      const int gain = static_cast<int>(later.length) * 4 - (later.offset == 0 ? 0 : CostOf(later, false));
      if (later.offset == 0 || gain <= static_cast<int>(match.length) * 4 - CostOf(match, is_repeated) + 4) break;
      match = later;
      is_repeated = false;
      start = position;
    }
    if (!is_repeated) {
      while (start > anchor && start > match.offset && block_[start - 1] == block_[start - 1 - match.offset]) {
        start--;
        match.length++;
      }
      offset_before = last_offset;
      last_offset = match.offset;
    }
    *next++ = {match.offset, start - anchor, match.length, 0};
    anchor = start + match.length;
    search.InsertMatch(inserted, std::min(anchor, limit));
    position = anchor;
    while (position < limit) {
      const uint32_t repeated = search.RepeatedLength(position, offset_before);
      if (repeated == 0) break;
      std::swap(last_offset, offset_before);
      *next++ = {last_offset, 0, repeated, 0};
      search.InsertMatch(position, std::min(position + repeated, limit));
      position += repeated;
      anchor = position;
    }
  }
  if (length > kMarginBytes) next_ = limit;
  last_offset_ = last_offset;
  offset_before_ = offset_before;
  *next++ = {0, end - anchor, 0, 0};
  return static_cast<size_t>(next - sequences);
}

size_t MatchFinder::FindAnywhere(MatchFinder& self, ZSTD_Sequence* sequences, const uint8_t* part, size_t length) {
  return self.FindInline(sequences, part, length);
}

#if defined(__x86_64__)
// The same code in fewer instructions.
__attribute__((target("avx2,bmi,bmi2"))) size_t MatchFinder::FindWithAvx2(MatchFinder& self, ZSTD_Sequence* sequences,
                                                                         const uint8_t* part, size_t length) {
  return self.FindInline(sequences, part, length);
}
#endif

size_t MatchFinder::Produce(void* finder, ZSTD_Sequence* sequences, size_t capacity, const void* part, size_t length, const void*,
                            size_t, int, size_t) noexcept {
  MatchFinder& self = *static_cast<MatchFinder*>(finder);
  if (capacity < length / kMinMatch + 1) return ZSTD_SEQUENCE_PRODUCER_ERROR;
  const uint8_t* const bytes = static_cast<const uint8_t*>(part);
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (has_avx2) return FindWithAvx2(self, sequences, bytes, length);
#endif
  return FindAnywhere(self, sequences, bytes, length);
}

}  // namespace oci2iso
