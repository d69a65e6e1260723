// Lets the match finder look for matches in blocks that are copied together at random: ROUNDS SEED.
// Exits with 1 where the sequences of a part do not give its bytes; a memory fault or undefined behaviour ends it otherwise.
// Prints a checksum of all sequences, how many there were and how many bytes the matches cover.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../../native/match_finder.h"
#include "random.h"

namespace {

using Bytes = std::vector<uint8_t>;

Bytes MakeBlock(size_t length) {
  Bytes block;
  block.reserve(length);
  while (block.size() < length) {
    const size_t most = length - block.size();
    const size_t run = std::min<size_t>(most, 1 + Below(1u << (1 + Below(12))));
    const uint32_t kind = Below(8);
    if (kind < 5 && !block.empty()) {
      // From near or far, overlapping or not.
      const size_t reach = std::min<size_t>(block.size(), 1u << Below(20));
      const size_t from = block.size() - 1 - Below(static_cast<uint32_t>(reach));
      for (size_t at = 0; at < run; at++) block.push_back(block[from + at]);
    } else {
      const uint32_t letters = kind == 5 ? 1 : kind == 6 ? 3 : 256;
      for (size_t at = 0; at < run; at++) block.push_back(static_cast<uint8_t>(Below(letters)));
    }
  }
  return block;
}

uint64_t checksum = 14695981039346656037u;
uint64_t sequence_count = 0;
uint64_t covered_bytes = 0;

void Count(const ZSTD_Sequence& sequence) {
  for (const uint32_t value : {sequence.offset, sequence.litLength, sequence.matchLength})
    checksum = (checksum ^ value) * 1099511628211u;
  sequence_count++;
  covered_bytes += sequence.matchLength;
}

[[noreturn]] void Fail(const char* what) {
  std::printf("%s\n", what);
  std::exit(1);
}

void CheckPart(const Bytes& block, size_t from, size_t to, const std::vector<ZSTD_Sequence>& sequences, size_t count) {
  if (count == 0 || count > sequences.size()) Fail("no sequences");
  size_t at = from;
  for (size_t index = 0; index < count; index++) {
    const ZSTD_Sequence& sequence = sequences[index];
    Count(sequence);
    at += sequence.litLength;
    const bool is_last = index == count - 1;
    if (is_last ? sequence.offset != 0 || sequence.matchLength != 0 : sequence.matchLength < 4) Fail("a sequence is misshapen");
    if (at + sequence.matchLength > to) Fail("a match leaves its part");
    if (!is_last && (sequence.offset == 0 || sequence.offset > at)) Fail("an offset leaves the block");
    for (size_t end = at + sequence.matchLength; at < end; at++)
      if (block[at] != block[at - sequence.offset]) Fail("a match does not match");
  }
  if (at != to) Fail("the part is not covered");
}

void CheckBlock(oci2iso::MatchFinder& finder, size_t length) {
  const Bytes block = MakeBlock(length);
  finder.Begin(block.data(), block.size());
  for (size_t from = 0; from < block.size();) {
    const size_t to = std::min(block.size(), from + 1 + Below(1u << (1 + Below(17))));
    // Of exactly the size that zstd asks for, so that a sequence too many is seen.
    std::vector<ZSTD_Sequence> sequences((to - from) / 3 + 1);
    const size_t count = oci2iso::MatchFinder::Produce(&finder, sequences.data(), sequences.size(), block.data() + from, to - from,
                                                       nullptr, 0, 0, 0);
    CheckPart(block, from, to, sequences, count);
    from = to;
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  state = std::strtoull(arguments[2], nullptr, 10) * 2862933555777941757u + 1;
  const auto finder = oci2iso::MatchFinder::Make(oci2iso::MatchFinder::kMaxBlockBytes);
  if (finder == nullptr) return 2;
  if (oci2iso::MatchFinder::Make(oci2iso::MatchFinder::kMaxBlockBytes + 1) != nullptr) Fail("positions would not fit");
  for (int round = std::atoi(arguments[1]); round > 0; round--) CheckBlock(*finder, 1 + Below(1u << (1 + Below(17))));
  CheckBlock(*finder, oci2iso::MatchFinder::kMaxBlockBytes);
  CheckBlock(*finder, 1);
  std::printf("%016llx %llu %llu\n", static_cast<unsigned long long>(checksum), static_cast<unsigned long long>(sequence_count),
              static_cast<unsigned long long>(covered_bytes));
}
