#include "content_digester.h"

#include <cstring>
#include <new>
#include <string>
#include <system_error>

#include "arguments.h"
#include "digest.h"
#include "zero_bytes.h"

namespace oci2iso {
namespace {

constexpr napi_type_tag kTag = {0x6f63693269736f09, 0xc4d18e27a95b3f60};
constexpr int64_t kMaxSlotBytes = 1 << 24;
constexpr int64_t kMaxThreads = 1024;
constexpr size_t kDigestBytes = 32;
constexpr size_t kNumbersPerUnit = 3;
constexpr double kFailedJob = -1;
constexpr double kNoJob = -2;

struct Unit {
  size_t offset;
  size_t length;
  bool ends_with_length;
};

bool Finish(Digest& digest, const Unit& unit, uint8_t* out) noexcept {
  if (unit.ends_with_length) {
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = static_cast<uint8_t>(static_cast<uint64_t>(unit.length) >> (8 * i));
    digest.Update(length, sizeof length);
  }
  uint8_t made[Digest::kMaxBytes];
  if (digest.Finish(made) != kDigestBytes) return false;
  std::memcpy(out, made, kDigestBytes);
  return true;
}

/** Two at a time. False where a unit lies outside of the content, or there is no memory. */
bool DigestUnits(const uint8_t* content, size_t length, const std::vector<Unit>& units, uint8_t* out) noexcept {
  const Unit* first = nullptr;
  uint8_t* first_out = nullptr;
  for (const Unit& unit : units) {
    uint8_t* const unit_out = out;
    out += kDigestBytes;
    if (unit.offset > length || unit.length > length - unit.offset) return false;
    if (IsZero(content + unit.offset, unit.length)) {
      std::memset(unit_out, 0, kDigestBytes);
      continue;
    }
    if (first == nullptr) {
      first = &unit;
      first_out = unit_out;
      continue;
    }
    const std::unique_ptr<Digest> a = Digest::Make("sha256");
    const std::unique_ptr<Digest> b = Digest::Make("sha256");
    if (a == nullptr || b == nullptr) return false;
    Digest::UpdateBoth(*a, content + first->offset, first->length, *b, content + unit.offset, unit.length);
    if (!Finish(*a, *first, first_out) || !Finish(*b, unit, unit_out)) return false;
    first = nullptr;
  }
  if (first == nullptr) return true;
  const std::unique_ptr<Digest> last = Digest::Make("sha256");
  if (last == nullptr) return false;
  last->Update(content + first->offset, first->length);
  return Finish(*last, *first, first_out);
}

}  // namespace

struct ContentDigester::Slot final : public Job {
  Slot(ContentDigester& owner, size_t byte_length)
      : owner_(owner), capacity_(byte_length), input_(new uint8_t[byte_length]) {}

  void Run(unsigned worker) noexcept override {
    const double result = Work(worker);
    {
      std::lock_guard<std::mutex> lock(owner_.mutex_);
      result_ = result;
      done_ = true;
    }
    owner_.finished_.notify_one();
  }

  double Work(unsigned worker) noexcept {
    const uint8_t* content = input_.get();
    size_t length = length_;
    if (max_bytes_ > 0) {
      uint8_t* const decoded = owner_.decoded_[worker].get();
      const ptrdiff_t count = owner_.decoders_[worker]->Decode(input_.get(), length_, decoded, max_bytes_);
      if (count <= 0) return kFailedJob;
      content = decoded;
      length = static_cast<size_t>(count);
    }
    return DigestUnits(content, length, units_, digests_.data()) ? static_cast<double>(length) : kFailedJob;
  }

  ContentDigester& owner_;
  size_t capacity_;
  std::unique_ptr<uint8_t[]> input_;
  size_t length_ = 0;
  size_t max_bytes_ = 0;
  std::vector<Unit> units_;
  std::vector<uint8_t> digests_;
  bool busy_ = false;
  // With the owner's mutex held.
  bool done_ = false;
  double result_ = 0;
};

Napi::Function ContentDigester::Define(Napi::Env env) {
  return DefineClass(
      env, "ContentDigester",
      {InstanceMethod<&ContentDigester::AddSlot>("addSlot"), InstanceMethod<&ContentDigester::Submit>("submit"),
       InstanceMethod<&ContentDigester::Take>("take"), InstanceMethod<&ContentDigester::Close>("close")});
}

ContentDigester::ContentDigester(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ContentDigester>(info) {
  Napi::Env env = info.Env();
  const std::string name = StringArgument(info, 0);
  const Codec* codec = name.empty() ? nullptr : FindCodec(name);
  if (codec == nullptr && !name.empty()) throw Napi::RangeError::New(env, "no decoder for " + name);
  block_bytes_ = static_cast<size_t>(IntegerArgument(info, 1, 0, kMaxSlotBytes));
  const unsigned threads = static_cast<unsigned>(IntegerArgument(info, 2, 1, kMaxThreads));
  try {
    for (unsigned worker = 0; codec != nullptr && worker < threads; worker++) {
      decoders_.push_back(codec->make_decoder());
      if (decoders_.back() == nullptr) throw std::bad_alloc();
      decoded_.emplace_back(new uint8_t[block_bytes_]);
    }
    pool_ = std::make_unique<WorkerPool>(threads);
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for " + std::to_string(threads) + " threads that digest");
  } catch (const std::system_error& error) {
    throw Napi::Error::New(env, std::string("cannot start the threads of the digester: ") + error.what());
  }
  napi_type_tag_object(env, info.This(), &kTag);
}

Napi::Value ContentDigester::AddSlot(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  Napi::Env env = info.Env();
  const size_t byte_length = static_cast<size_t>(IntegerArgument(info, 0, 1, kMaxSlotBytes));
  if (pool_ == nullptr) throw Napi::Error::New(env, "the digester is closed");
  std::shared_ptr<Slot> slot;
  try {
    slot = std::make_shared<Slot>(*this, byte_length);
    slots_.push_back(slot);
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for " + std::to_string(byte_length) + " bytes");
  }
  // The Buffer keeps the slot's memory.
  auto* keep = new std::shared_ptr<Slot>(slot);
  return Napi::Buffer<uint8_t>::New(
      env, slot->input_.get(), byte_length, [](Napi::Env, uint8_t*, std::shared_ptr<Slot>* kept) { delete kept; }, keep);
}

void ContentDigester::Submit(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  Napi::Env env = info.Env();
  if (pool_ == nullptr) throw Napi::Error::New(env, "the digester is closed");
  const int64_t index = IntegerArgument(info, 0, 0, static_cast<int64_t>(slots_.size()) - 1);
  Slot& slot = *slots_[static_cast<size_t>(index)];
  const int64_t length = IntegerArgument(info, 1, 1, static_cast<int64_t>(slot.capacity_));
  const int64_t max_bytes = IntegerArgument(info, 2, 0, decoders_.empty() ? 0 : static_cast<int64_t>(block_bytes_));
  if (slot.busy_) throw Napi::Error::New(env, "slot " + std::to_string(index) + " is in use");
  const Napi::Value value = info[3];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    throw Napi::TypeError::New(env, "argument 3 must be an Int32Array");
  Napi::Int32Array numbers = value.As<Napi::Int32Array>();
  const size_t count = numbers.ElementLength() / kNumbersPerUnit;
  const int32_t* at = numbers.Data();
  try {
    slot.units_.clear();
    for (size_t i = 0; i < count; i++, at += kNumbersPerUnit) {
      if (at[0] < 0 || at[1] < 0) throw Napi::RangeError::New(env, "a part has no negative offset or length");
      slot.units_.push_back({static_cast<size_t>(at[0]), static_cast<size_t>(at[1]), at[2] != 0});
    }
    slot.digests_.resize(count * kDigestBytes);
    order_.push_back(&slot);
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for the parts of a block");
  }
  slot.length_ = static_cast<size_t>(length);
  slot.max_bytes_ = static_cast<size_t>(max_bytes);
  slot.busy_ = true;
  slot.done_ = false;
  pool_->Submit(&slot);
}

Napi::Value ContentDigester::Take(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  Napi::Env env = info.Env();
  const bool waits = info[0].ToBoolean();
  const Bytes digests = BytesArgument(info, 1);
  if (pool_ == nullptr || order_.empty()) return Napi::Number::New(env, kNoJob);
  Slot& slot = *order_.front();
  if (digests.length < slot.digests_.size()) throw Napi::RangeError::New(env, "there is no room for the digests");
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (waits) finished_.wait(lock, [&] { return slot.done_; });
    if (!slot.done_) return Napi::Number::New(env, kNoJob);
  }
  if (!slot.digests_.empty()) std::memcpy(digests.data, slot.digests_.data(), slot.digests_.size());
  slot.busy_ = false;
  order_.pop_front();
  return Napi::Number::New(env, slot.result_);
}

void ContentDigester::Close(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  pool_.reset();
  order_.clear();
  decoders_.clear();
  decoded_.clear();
  slots_.clear();
}

}  // namespace oci2iso
