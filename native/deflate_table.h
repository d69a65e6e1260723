#pragma once

#include <cstddef>
#include <cstdint>

namespace oci2iso {

/**
 * Decoding tables of prefix codes (RFC 1951 3.2.2). The low `root` bits of the input pick an entry of the root table, which is the answer
 * or names a subtable for the bits that follow.
 *
 * An entry, from its low bits:
 * - 0 to 7: bits to take off the input, those of the code word and of the extra bits behind it.
 * - 8 to 11: bits of the code word alone; of a subtable, the bits that pick its entry.
 * - 12 `kSpecial`, 13 `kSubtable`, 14 `kEndOfBlock`; a special one that is neither of the last two is no code word.
 * - 16 to 30: the literal, the least length or distance, the symbol, or where a subtable begins.
 * - 31 `kLiteral`.
 */
using DeflateEntry = uint32_t;

constexpr DeflateEntry kSpecial = 1 << 12;
constexpr DeflateEntry kSubtable = 1 << 13;
constexpr DeflateEntry kEndOfBlock = 1 << 14;
constexpr DeflateEntry kLiteral = 1u << 31;

inline unsigned EntryBits(DeflateEntry entry) { return entry & 0xff; }
inline unsigned CodeWordBits(DeflateEntry entry) { return entry >> 8 & 15; }
inline unsigned EntryValue(DeflateEntry entry) { return entry >> 16; }

constexpr unsigned kMaxCodeWordBits = 15;
constexpr unsigned kMaxLitlenSymbols = 288;
constexpr unsigned kMaxDistanceSymbols = 32;
constexpr unsigned kCodeLengthSymbols = 19;

constexpr unsigned kLitlenRootBits = 11;
constexpr unsigned kDistanceRootBits = 8;
constexpr unsigned kCodeLengthRootBits = 7;

/** A subtable has two code words or more, so there are at most half as many as symbols, each at its largest. */
constexpr size_t TableEntries(unsigned symbols, unsigned root) {
  return (size_t{1} << root) + (size_t{symbols} / 2 << (kMaxCodeWordBits - root));
}
constexpr size_t kLitlenEntries = TableEntries(kMaxLitlenSymbols, kLitlenRootBits);
constexpr size_t kDistanceEntries = TableEntries(kMaxDistanceSymbols, kDistanceRootBits);
constexpr size_t kCodeLengthEntries = size_t{1} << kCodeLengthRootBits;

/**
 * Each makes the table of a code from the lengths of its code words (0: the symbol has none). False where the code is over-subscribed, or
 * incomplete; zlib's exceptions hold: literals and distances may have a single code word, of one bit, and distances and code lengths none
 * at all. Bits that are no code word are the entry `kSpecial` of one bit and value 0.
 */
bool MakeLitlenTable(const uint8_t* lengths, unsigned symbols, DeflateEntry* table);
bool MakeDistanceTable(const uint8_t* lengths, unsigned symbols, DeflateEntry* table);
bool MakeCodeLengthTable(const uint8_t* lengths, DeflateEntry* table);

}  // namespace oci2iso
