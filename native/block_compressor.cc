#include "block_compressor.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include "arguments.h"

namespace oci2iso {
namespace {

constexpr napi_type_tag kTag = {0x6f63693269736f01, 0xa1d3c1f0e5b24c77};
constexpr int64_t kMinBlockBytes = 4096;
constexpr int64_t kMaxBlockBytes = 1 << 20;
constexpr int64_t kMaxThreads = 1024;
constexpr size_t kMetadataBlockBytes = 8192;

/** Blocks of one byte cannot shrink; for others the output must be shorter than the input. */
ptrdiff_t EncodeShorter(BlockEncoder& encoder, const uint8_t* block, size_t length, uint8_t* out) noexcept {
  return length < 2 ? kDoesNotFit : encoder.Encode(block, length, out, length - 1);
}

/** Throws a RangeError for what is not one of the codec's; kChosen where there is none. */
BranchFilter FilterArgument(const Napi::CallbackInfo& info, size_t index, const Codec& codec) {
  if (info.Length() <= index || info[index].IsUndefined()) return BranchFilter::kChosen;
  const std::string name = StringArgument(info, index);
  if (std::find(codec.filters.begin(), codec.filters.end(), name) == codec.filters.end())
    throw Napi::RangeError::New(info.Env(), std::string(codec.name) + " has no filter " + name);
  return name == "none" ? BranchFilter::kNone : name == "x86" ? BranchFilter::kX86 : BranchFilter::kArm64;
}

struct FreePages {
  void operator()(uint8_t* memory) const { std::free(memory); }
};
/** Memory that begins with a page. */
using Pages = std::unique_ptr<uint8_t[], FreePages>;

size_t PageBytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

/** Throws std::bad_alloc. */
Pages AllocatePages(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, PageBytes(), bytes) != 0) throw std::bad_alloc();
  return Pages(static_cast<uint8_t*>(memory));
}

}  // namespace

struct BlockCompressor::Slot final : public Job {
  Slot(BlockCompressor& owner, size_t block_bytes)
      : owner_(owner), block_bytes_(block_bytes), input_(AllocatePages(block_bytes)), output_(AllocatePages(block_bytes)) {}

  void Run(unsigned worker) noexcept override {
    encoded_ = EncodeShorter(*owner_.encoders_[worker], input_.get(), length_, output_.get());
    owner_.Finished(*this);
  }

  /** JavaScript's Buffers keep their addresses until they are collected, but no longer any memory: their bytes become zeros. */
  void GiveBackMemory() noexcept {
#if defined(__linux__)
    if (block_bytes_ % PageBytes() != 0) return;
    madvise(input_.get(), block_bytes_, MADV_DONTNEED);
    madvise(output_.get(), block_bytes_, MADV_DONTNEED);
#endif
  }

  BlockCompressor& owner_;
  size_t block_bytes_;
  Pages input_;
  Pages output_;
  int32_t index_ = 0;
  bool busy_ = false;
  uint64_t sequence_ = 0;
  size_t length_ = 0;
  ptrdiff_t encoded_ = 0;
  std::atomic<bool> done_{false};
};

Napi::Function BlockCompressor::Define(Napi::Env env) {
  return DefineClass(env, "BlockCompressor",
                     {InstanceMethod<&BlockCompressor::AddSlot>("addSlot"),
                      InstanceMethod<&BlockCompressor::Submit>("submit"),
                      InstanceMethod<&BlockCompressor::Drain>("drain"),
                      InstanceMethod<&BlockCompressor::EncodeNow>("encodeNow"),
                      InstanceMethod<&BlockCompressor::Close>("close")});
}

BlockCompressor::BlockCompressor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BlockCompressor>(info) {
  Napi::Env env = info.Env();
  const std::string name = StringArgument(info, 0);
  const Codec* codec = FindCodec(name);
  if (codec == nullptr) throw Napi::RangeError::New(env, "no encoder for " + name);
  const int level = static_cast<int>(IntegerArgument(info, 1, codec->min_level, codec->max_level));
  block_bytes_ = static_cast<size_t>(IntegerArgument(info, 2, kMinBlockBytes, kMaxBlockBytes));
  const unsigned threads = static_cast<unsigned>(IntegerArgument(info, 3, 1, kMaxThreads));

  const BranchFilter filter = FilterArgument(info, 5, *codec);

  try {
    now_ = codec->make_encoder(level, kMetadataBlockBytes, filter);
    for (unsigned worker = 0; worker < threads; worker++)
      encoders_.push_back(codec->make_encoder(level, block_bytes_, filter));
    const auto absent = [](const std::unique_ptr<BlockEncoder>& encoder) { return encoder == nullptr; };
    if (absent(now_) || std::any_of(encoders_.begin(), encoders_.end(), absent)) throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for " + std::to_string(threads) + " " + name + " encoders");
  }

  const auto stop = [this] {
    if (pool_ != nullptr) pool_->Stop();
  };
  life_.Open(info, kTag, 4, "the compressor", [&] { pool_ = std::make_unique<WorkerPool>(threads); }, stop);
}

Napi::Value BlockCompressor::AddSlot(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  Napi::Env env = info.Env();
  std::shared_ptr<Slot> slot;
  try {
    slot = std::make_shared<Slot>(*this, block_bytes_);
    slot->index_ = static_cast<int32_t>(slots_.size());
    slots_.push_back(slot);
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for a block of " + std::to_string(block_bytes_) + " bytes");
  }
  // Each Buffer keeps the slot alive, so that a worker's memory never goes before the worker is done with it.
  const auto share = [&](uint8_t* data) {
    auto* keep = new std::shared_ptr<Slot>(slot);
    return Napi::Buffer<uint8_t>::New(
        env, data, block_bytes_, [](Napi::Env, uint8_t*, std::shared_ptr<Slot>* kept) { delete kept; }, keep);
  };
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, share(slot->input_.get()));
  pair.Set(1u, share(slot->output_.get()));
  return pair;
}

void BlockCompressor::Submit(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  const int64_t index = IntegerArgument(info, 0, 0, static_cast<int64_t>(slots_.size()) - 1);
  const int64_t length = IntegerArgument(info, 1, 1, static_cast<int64_t>(block_bytes_));
  Slot& slot = *slots_[static_cast<size_t>(index)];
  if (slot.busy_) throw Napi::Error::New(info.Env(), "slot " + std::to_string(index) + " is in use");
  slot.busy_ = true;
  slot.length_ = static_cast<size_t>(length);
  slot.sequence_ = next_sequence_++;
  slot.done_.store(false);
  life_.KeepAlive(true);
  order_.push_back(&slot);
  pool_->Submit(&slot);
}

void BlockCompressor::Finished(Slot& slot) noexcept {
  const uint64_t sequence = slot.sequence_;  // once done, the slot may be submitted again
  slot.done_.store(true);
  // Drain stores `head_` before it reads `done_`; here it is the other way round: one of the two always sees the other.
  if (head_.load() == sequence && !wake_pending_.exchange(true)) life_.Ready();
}

Napi::Value BlockCompressor::Drain(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  const Napi::Value value = info[0];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    throw Napi::TypeError::New(info.Env(), "argument 0 must be an Int32Array");
  Napi::Int32Array results = value.As<Napi::Int32Array>();
  const size_t capacity = results.ElementLength() / 2;
  int32_t* out = results.Data();
  wake_pending_.store(false);
  size_t count = 0;
  while (!order_.empty()) {
    Slot& slot = *order_.front();
    head_.store(slot.sequence_);
    if (!slot.done_.load()) break;
    if (count == capacity) break;
    out[2 * count] = slot.index_;
    out[2 * count + 1] = static_cast<int32_t>(slot.encoded_);
    count++;
    slot.busy_ = false;
    order_.pop_front();
    if (order_.empty()) {
      head_.store(next_sequence_);
      life_.KeepAlive(false);
    }
  }
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

Napi::Value BlockCompressor::EncodeNow(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  const Bytes block = BytesArgument(info, 0);
  const Bytes output = BytesArgument(info, 1);
  if (block.length > kMetadataBlockBytes || output.length < block.length)
    throw Napi::RangeError::New(info.Env(), "a block has at most 8192 bytes, and the output as many as it");
  return Napi::Number::New(info.Env(), static_cast<double>(EncodeShorter(*now_, block.data, block.length, output.data)));
}

void BlockCompressor::Close(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  if (!life_.IsOpen()) return;
  life_.Close();
  order_.clear();
  encoders_.clear();
  for (const std::shared_ptr<Slot>& slot : slots_) slot->GiveBackMemory();
  slots_.clear();
}

}  // namespace oci2iso
