#pragma once

#include <cstddef>
#include <cstdint>

#include "deflate_table.h"

namespace oci2iso {

/**
 * Decodes one deflate stream (RFC 1951) that arrives in pieces, into pieces. Accepts what zlib accepts.
 *
 * Between two calls fewer than 8 bits of the input are held, or all of it was taken and the next step needs more than is held. So the input
 * stands right behind the stream when it ends.
 */
class Inflater {
 public:
  enum class Status { kNeedsInput, kNeedsRoom, kComplete, kBroken };

  /** Takes input from `in` and puts output at `out`, and moves both. Before `out` nothing is read: the window is kept in here. */
  Status Run(const uint8_t*& in, const uint8_t* in_end, uint8_t*& out, uint8_t* out_end);
  /** To be ready for another stream. */
  void Reset();
  /** After kBroken. */
  const char* failure() const { return failure_; }

 private:
  static constexpr size_t kWindowBytes = 1 << 15;
  enum class State {
    kBlockHeader,
    kStoredHeader,
    kStored,
    kCodeHeader,
    kCodeLengthLengths,
    kLengths,
    kSymbols,
    kMatch,
    kComplete,
  };
  enum class Step { kDone, kNeedsInput, kNeedsRoom, kBroken };

  /** Where a call is in its input and output. */
  struct Cursor {
    const uint8_t* in;
    const uint8_t* in_end;
    uint8_t* out_begin;
    uint8_t* out;
    uint8_t* out_end;
  };

  Step Advance(Cursor& at);
  Step ReadBlockHeader(Cursor& at);
  Step ReadStoredHeader(Cursor& at);
  Step CopyStored(Cursor& at);
  Step ReadCodeHeader(Cursor& at);
  Step ReadCodeLengthLengths(Cursor& at);
  Step ReadLengths(Cursor& at);
  Step ReadSymbol(Cursor& at);
  Step CopyMatch(Cursor& at);
  /** Many symbols while input and output are far from their ends. */
  Step ReadSymbols(Cursor& at);
  static Step ReadSymbolsInline(Inflater& self, Cursor& at);
  static Step ReadSymbolsAnywhere(Inflater& self, Cursor& at);
  static Step ReadSymbolsWithBmi2(Inflater& self, Cursor& at);

  Step EndBlock();
  Step Break(const char* failure);
  void UseFixedCodes();
  /** Of a match that begins before the output of this call; its distance is within the window. */
  void CopyFromWindow(uint8_t* out_begin, uint8_t* out, size_t length, size_t distance) const;
  void KeepWindow(const Cursor& at);

  void Refill(Cursor& at);
  void GiveBack(Cursor& at);
  unsigned TakeBits(unsigned count);

  State state_ = State::kBlockHeader;
  bool last_block_ = false;
  bool fixed_codes_ = false;
  uint64_t bits_ = 0;
  unsigned bit_count_ = 0;
  size_t stored_left_ = 0;
  unsigned litlen_symbols_ = 0;
  unsigned distance_symbols_ = 0;
  unsigned code_length_symbols_ = 0;
  unsigned lengths_read_ = 0;
  size_t match_length_ = 0;
  size_t match_distance_ = 0;
  size_t window_bytes_ = 0;
  const char* failure_ = "";
  uint8_t lengths_[kMaxLitlenSymbols + kMaxDistanceSymbols];
  DeflateEntry litlen_[kLitlenEntries];
  DeflateEntry distance_[kDistanceEntries];
  DeflateEntry code_length_[kCodeLengthEntries];
  uint8_t window_[kWindowBytes];
};

}  // namespace oci2iso
