#include <zlib.h>

#include <algorithm>
#include <new>

#include "stream_decoder.h"

namespace oci2iso {
namespace {

/** How far a member has got. */
enum class Member { kOpen, kComplete, kBroken };

/** One gzip member at a time, with node's own zlib. */
class MemberInflater {
 public:
  bool Open() { return open_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~MemberInflater() {
    if (open_) inflateEnd(&stream_);
  }

  void Restart() { inflateReset(&stream_); }

  Member Step(StreamDecoder::Input& input, uint8_t* out, size_t capacity, size_t& produced, const char*& reason) {
    stream_.next_in = const_cast<Bytef*>(input.next);
    stream_.avail_in = static_cast<uInt>(input.left);
    stream_.next_out = out;
    stream_.avail_out = static_cast<uInt>(capacity);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    produced = capacity - stream_.avail_out;
    input = {stream_.next_in, stream_.avail_in};
    if (status == Z_STREAM_END) return Member::kComplete;
    if (status == Z_OK || status == Z_BUF_ERROR) return Member::kOpen;
    reason = status == Z_MEM_ERROR ? "not enough memory" : stream_.msg != nullptr ? stream_.msg : "invalid data";
    return Member::kBroken;
  }

 private:
  z_stream stream_{};
  bool open_ = false;
};

class GzipDecoder final : public StreamDecoder {
 public:
  bool Open() { return member_.Open(); }

  size_t Decode(Input& input, uint8_t* out, size_t capacity, std::string& error) noexcept override {
    size_t filled = 0;
    for (;;) {
      if (state_ == kBetween && input.left > 0) {
        state_ = input.next[0] == 0 ? kPadding : kInMember;
        if (state_ == kInMember) member_.Restart();
      }
      if (state_ == kPadding && std::any_of(input.next, input.next + input.left, [](uint8_t byte) { return byte != 0; }))
        error = "bytes follow the end of the gzip data";
      if (state_ == kPadding) input = {input.next + input.left, 0};
      if (state_ != kInMember) return filled;

      size_t produced = 0;
      const size_t left_before = input.left;
      const char* reason = nullptr;
      const Member member = member_.Step(input, out + filled, capacity - filled, produced, reason);
      filled += produced;
      if (member == Member::kBroken) {
        error = reason;
        return filled;
      }
      if (member == Member::kComplete) state_ = kBetween;
      else if (filled == capacity || (produced == 0 && input.left == left_before)) return filled;
    }
  }

  bool IsComplete() const override { return state_ != kInMember; }

 private:
  enum { kInMember, kBetween, kPadding } state_ = kInMember;
  MemberInflater member_;
};

}  // namespace

std::unique_ptr<StreamDecoder> MakeGzipDecoder() {
  auto decoder = std::unique_ptr<GzipDecoder>(new (std::nothrow) GzipDecoder);
  if (decoder == nullptr || !decoder->Open()) return nullptr;
  return decoder;
}

}  // namespace oci2iso
