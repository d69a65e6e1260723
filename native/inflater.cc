#include "inflater.h"

#include <algorithm>
#include <cstring>

namespace oci2iso {
namespace {

constexpr uint8_t kCodeLengthOrder[kCodeLengthSymbols] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                          11, 4,  12, 3, 13, 2, 14, 1, 15};
constexpr unsigned kEndOfBlockSymbol = 256;
constexpr unsigned kMaxLitlenCodes = 286;
constexpr unsigned kMaxDistanceCodes = 30;
/** Of a code word and its extra bits. */
constexpr unsigned kMaxDistanceBits = kMaxCodeWordBits + 13;
constexpr size_t kMaxMatchBytes = 258;

/** What one round of the fast loop reads at most: five refills of 7 bytes, the last of which looks at 8. */
constexpr size_t kFastInputBytes = 40;
/** What it writes at most: three literals, a match, and what a copy writes too much. */
constexpr size_t kFastOutputBytes = 3 + kMaxMatchBytes + 64;

inline uint64_t Load64(const uint8_t* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

template <size_t kBytes>
inline void CopyBytes(uint8_t* to, const uint8_t* from) {
  uint8_t bytes[kBytes];
  std::memcpy(bytes, from, kBytes);
  std::memcpy(to, bytes, kBytes);
}

/** Of a match within what `to` stands behind; may write up to 63 bytes more than `length`. */
inline __attribute__((always_inline)) void CopyWithin(uint8_t* to, size_t length, size_t distance) {
  const uint8_t* from = to - distance;
  const uint8_t* const end = to + length;
  if (distance >= 16) {
    CopyBytes<16>(to, from);
    CopyBytes<16>(to + 16, from + 16);
    if (length <= 32) return;
    to += 32;
    from += 32;
    while (to < end) {
      CopyBytes<16>(to, from);
      CopyBytes<16>(to + 16, from + 16);
      to += 32;
      from += 32;
    }
  } else if (distance == 1) {
    std::memset(to, *from, 32);
    if (length > 32) std::memset(to + 32, *from, length - 32);
  } else if (distance >= 8) {
    for (; to < end; to += 8, from += 8) CopyBytes<8>(to, from);
  } else {
    // Each copy makes one more period right, and the next begins behind it.
    for (; to < end; to += distance, from += distance) CopyBytes<8>(to, from);
  }
}

}  // namespace

void Inflater::Reset() {
  state_ = State::kBlockHeader;
  last_block_ = false;
  bits_ = 0;
  bit_count_ = 0;
  window_bytes_ = 0;
}

Inflater::Status Inflater::Run(const uint8_t*& in, const uint8_t* in_end, uint8_t*& out, uint8_t* out_end) {
  Cursor at = {in, in_end, out, out, out_end};
  Step step;
  do step = Advance(at);
  while (step == Step::kDone && state_ != State::kComplete);
  if (step != Step::kNeedsInput) GiveBack(at);
  KeepWindow(at);
  in = at.in;
  out = at.out;
  switch (step) {
    case Step::kDone: return Status::kComplete;
    case Step::kNeedsInput: return Status::kNeedsInput;
    case Step::kNeedsRoom: return Status::kNeedsRoom;
    default: return Status::kBroken;
  }
}

Inflater::Step Inflater::Advance(Cursor& at) {
  switch (state_) {
    case State::kBlockHeader: return ReadBlockHeader(at);
    case State::kStoredHeader: return ReadStoredHeader(at);
    case State::kStored: return CopyStored(at);
    case State::kCodeHeader: return ReadCodeHeader(at);
    case State::kCodeLengthLengths: return ReadCodeLengthLengths(at);
    case State::kLengths: return ReadLengths(at);
    case State::kSymbols: return ReadSymbols(at);
    case State::kMatch: return CopyMatch(at);
    default: return Step::kDone;
  }
}

/** 56 bits or more, or all there are. */
inline void Inflater::Refill(Cursor& at) {
  if (at.in_end - at.in >= 8) {
    bits_ |= Load64(at.in) << bit_count_;
    at.in += (63 - bit_count_) >> 3;
    bit_count_ |= 56;
    return;
  }
  bits_ &= (uint64_t{1} << bit_count_) - 1;
  for (; bit_count_ < 56 && at.in < at.in_end; bit_count_ += 8) bits_ |= static_cast<uint64_t>(*at.in++) << bit_count_;
}

/** Whole bytes that were taken from the input and not used. */
void Inflater::GiveBack(Cursor& at) {
  at.in -= bit_count_ >> 3;
  bit_count_ &= 7;
  bits_ &= (uint64_t{1} << bit_count_) - 1;
}

/** `count` is less than 32, and not more than there are. */
inline unsigned Inflater::TakeBits(unsigned count) {
  const unsigned value = static_cast<unsigned>(bits_ & ((uint64_t{1} << count) - 1));
  bits_ >>= count;
  bit_count_ -= count;
  return value;
}

Inflater::Step Inflater::Break(const char* failure) {
  failure_ = failure;
  return Step::kBroken;
}

Inflater::Step Inflater::EndBlock() {
  state_ = last_block_ ? State::kComplete : State::kBlockHeader;
  return Step::kDone;
}

Inflater::Step Inflater::ReadBlockHeader(Cursor& at) {
  Refill(at);
  if (bit_count_ < 3) return Step::kNeedsInput;
  last_block_ = TakeBits(1) != 0;
  switch (TakeBits(2)) {
    case 0:
      TakeBits(bit_count_ & 7);
      state_ = State::kStoredHeader;
      return Step::kDone;
    case 1:
      UseFixedCodes();
      state_ = State::kSymbols;
      return Step::kDone;
    case 2:
      state_ = State::kCodeHeader;
      return Step::kDone;
    default:
      return Break("a block has no known type");
  }
}

Inflater::Step Inflater::ReadStoredHeader(Cursor& at) {
  Refill(at);
  if (bit_count_ < 32) return Step::kNeedsInput;
  stored_left_ = TakeBits(16);
  if (TakeBits(16) != (stored_left_ ^ 0xffff)) return Break("the length of a stored block and its complement differ");
  GiveBack(at);
  state_ = State::kStored;
  return Step::kDone;
}

Inflater::Step Inflater::CopyStored(Cursor& at) {
  const size_t room = static_cast<size_t>(at.out_end - at.out);
  const size_t length = std::min({stored_left_, static_cast<size_t>(at.in_end - at.in), room});
  if (length > 0) std::memcpy(at.out, at.in, length);
  at.in += length;
  at.out += length;
  stored_left_ -= length;
  if (stored_left_ == 0) return EndBlock();
  return at.in == at.in_end ? Step::kNeedsInput : Step::kNeedsRoom;
}

void Inflater::UseFixedCodes() {
  if (fixed_codes_) return;
  fixed_codes_ = true;
  for (unsigned symbol = 0; symbol < kMaxLitlenSymbols; symbol++)
    lengths_[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
  MakeLitlenTable(lengths_, kMaxLitlenSymbols, litlen_);
  std::memset(lengths_, 5, kMaxDistanceSymbols);
  MakeDistanceTable(lengths_, kMaxDistanceSymbols, distance_);
}

Inflater::Step Inflater::ReadCodeHeader(Cursor& at) {
  Refill(at);
  if (bit_count_ < 14) return Step::kNeedsInput;
  litlen_symbols_ = 257 + TakeBits(5);
  distance_symbols_ = 1 + TakeBits(5);
  code_length_symbols_ = 4 + TakeBits(4);
  if (litlen_symbols_ > kMaxLitlenCodes || distance_symbols_ > kMaxDistanceCodes)
    return Break("a code has too many symbols");
  lengths_read_ = 0;
  std::memset(lengths_, 0, kCodeLengthSymbols);
  state_ = State::kCodeLengthLengths;
  return Step::kDone;
}

Inflater::Step Inflater::ReadCodeLengthLengths(Cursor& at) {
  for (; lengths_read_ < code_length_symbols_; lengths_read_++) {
    if (bit_count_ < 3) Refill(at);
    if (bit_count_ < 3) return Step::kNeedsInput;
    lengths_[kCodeLengthOrder[lengths_read_]] = static_cast<uint8_t>(TakeBits(3));
  }
  if (!MakeCodeLengthTable(lengths_, code_length_)) return Break("the code of the code lengths is no prefix code");
  lengths_read_ = 0;
  state_ = State::kLengths;
  return Step::kDone;
}

Inflater::Step Inflater::ReadLengths(Cursor& at) {
  const unsigned symbols = litlen_symbols_ + distance_symbols_;
  while (lengths_read_ < symbols) {
    if (bit_count_ < 14) Refill(at);
    const DeflateEntry entry = code_length_[bits_ & (kCodeLengthEntries - 1)];
    if (EntryBits(entry) > bit_count_) return Step::kNeedsInput;
    const unsigned extra = TakeBits(EntryBits(entry)) >> CodeWordBits(entry);
    const unsigned symbol = EntryValue(entry);
    if (symbol < 16) {
      lengths_[lengths_read_++] = static_cast<uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && lengths_read_ == 0) return Break("a code length repeats none");
    const unsigned repeats = extra + (symbol == 18 ? 11 : 3);
    if (repeats > symbols - lengths_read_) return Break("there are too many code lengths");
    std::memset(lengths_ + lengths_read_, symbol == 16 ? lengths_[lengths_read_ - 1] : 0, repeats);
    lengths_read_ += repeats;
  }
  fixed_codes_ = false;
  if (lengths_[kEndOfBlockSymbol] == 0) return Break("a block has no code word for its end");
  if (!MakeLitlenTable(lengths_, litlen_symbols_, litlen_))
    return Break("the code of literals and lengths is no prefix code");
  if (!MakeDistanceTable(lengths_ + litlen_symbols_, distance_symbols_, distance_))
    return Break("the code of distances is no prefix code");
  state_ = State::kSymbols;
  return Step::kDone;
}

/** One literal, match or end of block; nothing is taken where it is not whole. */
Inflater::Step Inflater::ReadSymbol(Cursor& at) {
  if (at.out == at.out_end) return Step::kNeedsRoom;
  Refill(at);
  const auto look_up = [](const DeflateEntry* table, unsigned root, uint64_t bits) {
    const DeflateEntry entry = table[bits & ((1u << root) - 1)];
    if ((entry & kSubtable) == 0) return entry;
    return table[EntryValue(entry) + (bits >> root & ((1u << CodeWordBits(entry)) - 1))];
  };
  const uint64_t known = bits_ & ((uint64_t{1} << bit_count_) - 1);
  const DeflateEntry entry = look_up(litlen_, kLitlenRootBits, known);
  if (CodeWordBits(entry) > bit_count_) return Step::kNeedsInput;
  if ((entry & kLiteral) != 0) {
    *at.out++ = static_cast<uint8_t>(EntryValue(entry));
    TakeBits(CodeWordBits(entry));
    return Step::kDone;
  }
  if ((entry & kEndOfBlock) != 0) {
    TakeBits(CodeWordBits(entry));
    return EndBlock();
  }
  if ((entry & kSpecial) != 0) return Break("there is no such code word for a literal or length");
  const unsigned length_bits = EntryBits(entry);
  if (length_bits > bit_count_) return Step::kNeedsInput;
  const DeflateEntry distance = look_up(distance_, kDistanceRootBits, known >> length_bits);
  if (length_bits + CodeWordBits(distance) > bit_count_) return Step::kNeedsInput;
  if ((distance & kSpecial) != 0) return Break("there is no such code word for a distance");
  if (length_bits + EntryBits(distance) > bit_count_) return Step::kNeedsInput;
  match_length_ = EntryValue(entry) + (TakeBits(length_bits) >> CodeWordBits(entry));
  match_distance_ = EntryValue(distance) + (TakeBits(EntryBits(distance)) >> CodeWordBits(distance));
  if (match_distance_ > static_cast<size_t>(at.out - at.out_begin) + window_bytes_)
    return Break("a distance reaches back before the beginning");
  state_ = State::kMatch;
  return Step::kDone;
}

Inflater::Step Inflater::CopyMatch(Cursor& at) {
  const size_t length = std::min(match_length_, static_cast<size_t>(at.out_end - at.out));
  CopyFromWindow(at.out_begin, at.out, length, match_distance_);
  at.out += length;
  match_length_ -= length;
  if (match_length_ > 0) return Step::kNeedsRoom;
  state_ = State::kSymbols;
  return Step::kDone;
}

void Inflater::CopyFromWindow(uint8_t* out_begin, uint8_t* out, size_t length, size_t distance) const {
  const size_t produced = static_cast<size_t>(out - out_begin);
  if (distance > produced) {
    const size_t back = std::min(distance - produced, length);
    std::memcpy(out, window_ + window_bytes_ - (distance - produced), back);
    out += back;
    length -= back;
  }
  for (; length > 0; length--, out++) *out = *(out - distance);
}

void Inflater::KeepWindow(const Cursor& at) {
  const size_t produced = static_cast<size_t>(at.out - at.out_begin);
  if (produced == 0) return;
  const size_t added = std::min(produced, kWindowBytes);
  const size_t kept = std::min(window_bytes_, kWindowBytes - added);
  std::memmove(window_, window_ + window_bytes_ - kept, kept);
  std::memcpy(window_ + kept, at.out - added, added);
  window_bytes_ = kept + added;
}

/** Also leaves where a block ends, and goes on with single symbols near the ends of input and output. */
inline __attribute__((always_inline)) Inflater::Step Inflater::ReadSymbolsInline(Inflater& self, Cursor& at) {
  constexpr uint64_t kLitlenMask = (1u << kLitlenRootBits) - 1;
  constexpr uint64_t kDistanceMask = (1u << kDistanceRootBits) - 1;
  const DeflateEntry* const litlen = self.litlen_;
  const DeflateEntry* const distances = self.distance_;
  const uint8_t* const in_limit = at.in_end - kFastInputBytes;
  uint8_t* const out_limit = at.out_end - kFastOutputBytes;
  uint8_t* const out_begin = at.out_begin;
  const uint8_t* in = at.in;
  uint8_t* out = at.out;
  uint64_t bits = self.bits_;
  // Only its low 6 bits count: entries are subtracted as they are.
  unsigned bit_count = self.bit_count_;

  const auto refill = [&]() __attribute__((always_inline)) {
    bits |= Load64(in) << (bit_count & 63);
    in += (~bit_count & 63) >> 3;
    bit_count |= 56;
  };
  const auto take = [&](DeflateEntry entry) __attribute__((always_inline)) {
    bits >>= entry & 63;
    bit_count -= entry;
  };
  const auto put = [&](DeflateEntry entry) __attribute__((always_inline)) {
    *out++ = static_cast<uint8_t>(EntryValue(entry));
  };
  const auto value_of = [](DeflateEntry entry, uint64_t from) __attribute__((always_inline)) {
    const uint64_t taken = from & ((uint64_t{1} << static_cast<uint8_t>(entry)) - 1);
    return EntryValue(entry) + static_cast<unsigned>(taken >> (entry >> 8 & 63));
  };

  Step step = Step::kDone;
  refill();
  DeflateEntry entry = litlen[bits & kLitlenMask];
  do {
    // There are 56 bits or more: enough for three literals and one more look-up, or for two and a length with its extra bits.
    if ((entry & kLiteral) != 0) {
      take(entry);
      put(entry);
      entry = litlen[bits & kLitlenMask];
      if ((entry & kLiteral) != 0) {
        take(entry);
        put(entry);
        entry = litlen[bits & kLitlenMask];
        if ((entry & kLiteral) != 0) {
          take(entry);
          put(entry);
          // The bits of the next look-up are there before the refill, and do not wait for it.
          entry = litlen[bits & kLitlenMask];
          refill();
          continue;
        }
      }
    }
    if ((entry & kSpecial) != 0) {
      if ((entry & kSubtable) != 0)
        entry = litlen[EntryValue(entry) + (bits >> kLitlenRootBits & ((1u << CodeWordBits(entry)) - 1))];
      if ((entry & kLiteral) != 0) {
        take(entry);
        put(entry);
        refill();
        entry = litlen[bits & kLitlenMask];
        continue;
      }
      if ((entry & kEndOfBlock) != 0) {
        take(entry);
        step = self.EndBlock();
        break;
      }
      if ((entry & kSpecial) != 0) {
        step = self.Break("there is no such code word for a literal or length");
        break;
      }
    }
    const size_t length = value_of(entry, bits);
    take(entry);
    if (__builtin_expect((bit_count & 63) < kMaxDistanceBits, 0)) refill();
    entry = distances[bits & kDistanceMask];
    if ((entry & kSpecial) != 0) {
      if ((entry & kSubtable) != 0)
        entry = distances[EntryValue(entry) + (bits >> kDistanceRootBits & ((1u << CodeWordBits(entry)) - 1))];
      if ((entry & kSpecial) != 0) {
        step = self.Break("there is no such code word for a distance");
        break;
      }
    }
    const size_t distance = value_of(entry, bits);
    take(entry);
    if (__builtin_expect((bit_count & 63) < kLitlenRootBits, 0)) refill();
    entry = litlen[bits & kLitlenMask];
    refill();
    const size_t produced = static_cast<size_t>(out - out_begin);
    if (__builtin_expect(distance > produced, 0)) {
      if (distance > produced + self.window_bytes_) {
        step = self.Break("a distance reaches back before the beginning");
        break;
      }
      self.CopyFromWindow(out_begin, out, length, distance);
    } else {
      CopyWithin(out, length, distance);
    }
    out += length;
  } while (in < in_limit && out < out_limit);

  at.in = in;
  at.out = out;
  self.bit_count_ = bit_count & 63;
  self.bits_ = bits;
  self.GiveBack(at);
  return step;
}

Inflater::Step Inflater::ReadSymbolsAnywhere(Inflater& self, Cursor& at) { return ReadSymbolsInline(self, at); }

#if defined(__x86_64__)
__attribute__((target("bmi2"))) Inflater::Step Inflater::ReadSymbolsWithBmi2(Inflater& self, Cursor& at) {
  return ReadSymbolsInline(self, at);
}
#endif

Inflater::Step Inflater::ReadSymbols(Cursor& at) {
  const bool is_far = static_cast<size_t>(at.in_end - at.in) > kFastInputBytes &&
                      static_cast<size_t>(at.out_end - at.out) > kFastOutputBytes;
  if (!is_far) return ReadSymbol(at);
#if defined(__x86_64__)
  static const bool has_bmi2 = __builtin_cpu_supports("bmi2");
  if (has_bmi2) return ReadSymbolsWithBmi2(*this, at);
#endif
  return ReadSymbolsAnywhere(*this, at);
}

}  // namespace oci2iso
