#include "deflate_table.h"

#include <cstring>

namespace oci2iso {
namespace {

/** Not a code word; it is known by its first bit, because only a code of one word or none leaves any over. */
constexpr DeflateEntry kNoCodeWord = kSpecial | 1 << 8 | 1;

struct Symbols {
  DeflateEntry litlen[kMaxLitlenSymbols];
  DeflateEntry distance[kMaxDistanceSymbols];
  DeflateEntry code_length[kCodeLengthSymbols];
};

/** What each symbol stands for, without its code word (RFC 1951 3.2.5 and 3.2.7). */
const Symbols& AllSymbols() {
  static const Symbols symbols = [] {
    Symbols made{};
    for (unsigned byte = 0; byte < 256; byte++) made.litlen[byte] = kLiteral | byte << 16;
    made.litlen[256] = kSpecial | kEndOfBlock;
    unsigned length = 3;
    for (unsigned symbol = 257; symbol < 285; symbol++) {
      const unsigned extra = symbol < 265 ? 0 : (symbol - 261) / 4;
      made.litlen[symbol] = length << 16 | extra;
      length += 1u << extra;
    }
    made.litlen[285] = 258u << 16;
    for (unsigned symbol = 286; symbol < kMaxLitlenSymbols; symbol++) made.litlen[symbol] = kSpecial;
    unsigned distance = 1;
    for (unsigned symbol = 0; symbol < 30; symbol++) {
      const unsigned extra = symbol < 4 ? 0 : symbol / 2 - 1;
      made.distance[symbol] = distance << 16 | extra;
      distance += 1u << extra;
    }
    for (unsigned symbol = 30; symbol < kMaxDistanceSymbols; symbol++) made.distance[symbol] = kSpecial;
    for (unsigned symbol = 0; symbol < kCodeLengthSymbols; symbol++)
      made.code_length[symbol] = symbol << 16 | (symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
    return made;
  }();
  return symbols;
}

/** The next code word of the same length, both with their first bit lowest. */
unsigned NextCodeWord(unsigned word, unsigned bits) {
  const unsigned zeros = ~word & ((1u << bits) - 1);
  if (zeros == 0) return 0;
  const unsigned highest = 1u << (31 - __builtin_clz(zeros));
  return (word & (highest - 1)) | highest;
}

/** Which codes may leave bits without a meaning. */
enum class Incomplete { kNone, kOneWord, kOneWordOrNone };

bool MakeTable(const uint8_t* lengths, unsigned symbols, const DeflateEntry* meanings, unsigned root,
               Incomplete incomplete, DeflateEntry* table) {
  unsigned count[kMaxCodeWordBits + 1] = {};
  for (unsigned symbol = 0; symbol < symbols; symbol++) count[lengths[symbol]]++;
  count[0] = 0;
  unsigned longest = 0;
  int left = 1;
  uint16_t first[kMaxCodeWordBits + 2] = {};
  for (unsigned bits = 1; bits <= kMaxCodeWordBits; bits++) {
    left = 2 * left - static_cast<int>(count[bits]);
    if (left < 0) return false;
    if (count[bits] > 0) longest = bits;
    first[bits + 1] = static_cast<uint16_t>(first[bits] + count[bits]);
  }
  if (left > 0) {
    if (longest > 1) return false;
    if (incomplete == (longest == 0 ? Incomplete::kOneWord : Incomplete::kNone)) return false;
  }
  uint16_t sorted[kMaxLitlenSymbols];
  for (unsigned symbol = 0; symbol < symbols; symbol++)
    if (lengths[symbol] != 0) sorted[first[lengths[symbol]]++] = static_cast<uint16_t>(symbol);

  // Up to `root` bits, the table for one more bit is the table so far, twice.
  table[0] = table[1] = kNoCodeWord;
  const uint16_t* next = sorted;
  unsigned word = 0;
  for (unsigned bits = 1; bits <= root; bits++) {
    const size_t half = size_t{1} << (bits - 1);
    if (bits > 1) std::memcpy(table + half, table, half * sizeof *table);
    for (unsigned i = 0; i < count[bits]; i++) {
      table[word] = meanings[*next++] + bits * 0x101;
      word = NextCodeWord(word, bits);
    }
  }
  size_t end = size_t{1} << root;
  DeflateEntry* subtable = nullptr;
  unsigned subtable_bits = 0;
  unsigned prefix = ~0u;
  for (unsigned bits = root + 1; bits <= longest; bits++) {
    for (unsigned i = 0; i < count[bits]; i++) {
      if ((word & ((1u << root) - 1)) != prefix) {
        prefix = word & ((1u << root) - 1);
        // As many bits as make the words of this prefix a complete code.
        subtable_bits = bits - root;
        for (unsigned words = count[bits] - i; words < 1u << subtable_bits && subtable_bits + root < longest;) {
          subtable_bits++;
          words = 2 * words + count[root + subtable_bits];
        }
        subtable = table + end;
        table[prefix] = kSpecial | kSubtable | subtable_bits << 8 | static_cast<DeflateEntry>(end) << 16;
        end += size_t{1} << subtable_bits;
      }
      const DeflateEntry entry = meanings[*next++] + bits * 0x101;
      const size_t step = size_t{1} << (bits - root);
      for (size_t at = word >> root; at < size_t{1} << subtable_bits; at += step) subtable[at] = entry;
      word = NextCodeWord(word, bits);
    }
  }
  return true;
}

}  // namespace

bool MakeLitlenTable(const uint8_t* lengths, unsigned symbols, DeflateEntry* table) {
  return MakeTable(lengths, symbols, AllSymbols().litlen, kLitlenRootBits, Incomplete::kOneWord, table);
}

bool MakeDistanceTable(const uint8_t* lengths, unsigned symbols, DeflateEntry* table) {
  return MakeTable(lengths, symbols, AllSymbols().distance, kDistanceRootBits, Incomplete::kOneWordOrNone, table);
}

bool MakeCodeLengthTable(const uint8_t* lengths, DeflateEntry* table) {
  return MakeTable(lengths, kCodeLengthSymbols, AllSymbols().code_length, kCodeLengthRootBits, Incomplete::kNone, table);
}

}  // namespace oci2iso
