#include "layer_inflater.h"

#include <new>

#include "arguments.h"

namespace oci2iso {
namespace {

constexpr napi_type_tag kTag = {0x6f63693269736f04, 0x3b7de9145c02a8f6};
constexpr size_t kMaxSlots = 64;
constexpr size_t kMaxSlotBytes = 1 << 24;
constexpr int64_t kMinBlockBytes = 4096;
constexpr int64_t kMaxBlockBytes = 1 << 20;
constexpr size_t kNoSlot = static_cast<size_t>(-1);

std::unique_ptr<StreamDecoder> MakeDecoder(const std::string& format, int max_window_log) {
  if (format == "gzip") return MakeGzipDecoder();
  if (format == "zstd") return MakeZstdDecoder(max_window_log);
  return MakeCopyDecoder();
}

}  // namespace

Napi::Function LayerInflater::Define(Napi::Env env) {
  return DefineClass(env, "LayerInflater",
                     {InstanceMethod<&LayerInflater::Acquire>("acquire"), InstanceMethod<&LayerInflater::Write>("write"),
                      InstanceMethod<&LayerInflater::End>("end"), InstanceMethod<&LayerInflater::Take>("take"),
                      InstanceMethod<&LayerInflater::Release>("release"),
                      InstanceMethod<&LayerInflater::Digests>("digests"),
                      InstanceMethod<&LayerInflater::Close>("close")});
}

LayerInflater::LayerInflater(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LayerInflater>(info) {
  Napi::Env env = info.Env();
  const std::string format = StringArgument(info, 0);
  if (format != "gzip" && format != "zstd" && format != "none")
    throw Napi::RangeError::New(env, "no decoder for " + format);
  const int max_window_log = static_cast<int>(IntegerArgument(info, 1, 10, 31));
  const std::string input_digest = StringArgument(info, 2);
  const std::string output_digest = StringArgument(info, 3);
  AddSlots(info, 4, inputs_);
  AddSlots(info, 5, outputs_);
  const int64_t block_bytes = IntegerArgument(info, 7, 0, kMaxBlockBytes);
  if (block_bytes != 0 && (block_bytes < kMinBlockBytes || !Sha256::IsAvailable()))
    throw Napi::RangeError::New(env, "no digests of such blocks");

  try {
    decoder_ = MakeDecoder(format, max_window_log);
    if (decoder_ == nullptr) throw std::bad_alloc();
    if (block_bytes != 0) block_digester_ = std::make_unique<BlockDigester>(static_cast<size_t>(block_bytes));
    if (!input_digest.empty()) input_digest_ = Digest::Make(input_digest);
    if (!output_digest.empty()) output_digest_ = Digest::Make(output_digest);
    if ((!input_digest.empty() && input_digest_ == nullptr) || (!output_digest.empty() && output_digest_ == nullptr))
      throw Napi::Error::New(env, "no digest " + input_digest + " " + output_digest);
    hashes_pairs_ =
        block_digester_ == nullptr && input_digest_ != nullptr && output_digest_ != nullptr && Digest::ArePaired(*input_digest_, *output_digest_);
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for a " + format + " decoder");
  }

  if (block_digester_ != nullptr) {
    AddTables(info, 8);
    keep_tables_ = Napi::Persistent(info[8].As<Napi::Array>());
  }
  keep_inputs_ = Napi::Persistent(info[4].As<Napi::Array>());
  keep_outputs_ = Napi::Persistent(info[5].As<Napi::Array>());
  const auto start = [this] {
    decode_thread_ = std::thread([this] { Decode(); });
    hash_thread_ = std::thread([this] { Hash(); });
  };
  life_.Open(info, kTag, 6, "the inflater", start, [this] { Stop(); });
}

void LayerInflater::AddSlots(const Napi::CallbackInfo& info, size_t index, std::vector<Slot>& slots) {
  Napi::Env env = info.Env();
  const std::string name = "argument " + std::to_string(index);
  if (!info[index].IsArray()) throw Napi::TypeError::New(env, name + " must be an array of Uint8Arrays");
  const Napi::Array array = info[index].As<Napi::Array>();
  if (array.Length() < 1 || array.Length() > kMaxSlots) throw Napi::RangeError::New(env, name + " must have 1 to 64 slots");
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value value = array[i];
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw Napi::TypeError::New(env, name + " must be an array of Uint8Arrays");
    Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
    if (bytes.ByteLength() < 1 || bytes.ByteLength() > kMaxSlotBytes)
      throw Napi::RangeError::New(env, "a slot has 1 byte to 16 MiB");
    slots.push_back({bytes.Data(), bytes.ByteLength()});
  }
}

void LayerInflater::AddTables(const Napi::CallbackInfo& info, size_t index) {
  std::vector<Slot> tables;
  AddSlots(info, index, tables);
  if (tables.size() != outputs_.size()) throw Napi::RangeError::New(info.Env(), "every output slot has a table");
  for (size_t i = 0; i < tables.size(); i++) {
    outputs_[i].table = tables[i].data;
    outputs_[i].table_capacity = tables[i].capacity / BlockDigester::kEntryBytes;
  }
}

void LayerInflater::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    js_waits_ = false;
  }
  decode_wake_.notify_all();
  hash_wake_.notify_all();
  if (decode_thread_.joinable()) decode_thread_.join();
  if (hash_thread_.joinable()) hash_thread_.join();
}

size_t LayerInflater::FreeSlot(const std::vector<Slot>& slots) const {
  for (size_t i = 0; i < slots.size(); i++)
    if (slots[i].users == 0) return i;
  return kNoSlot;
}

size_t LayerInflater::TakeFreeSlot(std::vector<Slot>& slots) {
  const size_t index = FreeSlot(slots);
  if (index == kNoSlot) return kNoSlot;
  slots[index].users = 1;
  // Chunks that wait for one to be hashed with must go on now.
  if (FreeSlot(slots) == kNoSlot) hash_wake_.notify_one();
  return index;
}

Napi::Value LayerInflater::Acquire(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  size_t index;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    index = TakeFreeSlot(inputs_);
    if (index == kNoSlot) js_waits_ = true;
    else inputs_[index].lent = true;
  }
  if (index != kNoSlot) return Napi::Number::New(info.Env(), static_cast<double>(index));
  life_.KeepAlive(true);
  return Napi::Number::New(info.Env(), -1);
}

void LayerInflater::Write(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  Slot& slot = inputs_[static_cast<size_t>(IntegerArgument(info, 0, 0, static_cast<int64_t>(inputs_.size()) - 1))];
  const int64_t length = IntegerArgument(info, 1, 1, static_cast<int64_t>(slot.capacity));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!slot.lent || ended_) throw Napi::Error::New(info.Env(), "the slot was not acquired, or the input has ended");
    slot.lent = false;
    slot.length = static_cast<size_t>(length);
    to_decode_.push_back(&slot);
    if (input_digest_ != nullptr) {
      slot.users = 2;
      inputs_to_hash_.push_back(&slot);
    }
  }
  decode_wake_.notify_one();
  hash_wake_.notify_one();
}

void LayerInflater::End(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  decode_wake_.notify_one();
}

Napi::Value LayerInflater::Take(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  Napi::Env env = info.Env();
  const Napi::Value value = info[0];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array ||
      value.As<Napi::Int32Array>().ElementLength() < 3)
    throw Napi::TypeError::New(env, "argument 0 must be an Int32Array of 3");
  int32_t* output = value.As<Napi::Int32Array>().Data();
  int answer = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!to_take_.empty()) {
      const size_t index = to_take_.front();
      to_take_.pop_front();
      outputs_[index].lent = true;
      output[0] = static_cast<int32_t>(index);
      output[1] = static_cast<int32_t>(outputs_[index].length);
      output[2] = static_cast<int32_t>(outputs_[index].blocks);
      answer = 1;
    } else if (!failure_.empty() && outputs_behind_ == 0) {
      return Napi::String::New(env, failure_);
    } else if (hashed_) {
      answer = 2;
    } else {
      js_waits_ = true;
    }
  }
  life_.KeepAlive(answer == 0);
  return Napi::Number::New(env, answer);
}

void LayerInflater::Release(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  Slot& slot = outputs_[static_cast<size_t>(IntegerArgument(info, 0, 0, static_cast<int64_t>(outputs_.size()) - 1))];
  std::lock_guard<std::mutex> lock(mutex_);
  if (!slot.lent) throw Napi::Error::New(info.Env(), "the slot was not taken");
  slot.lent = false;
  Drop(slot);
}

Napi::Value LayerInflater::Digests(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!hashed_) throw Napi::Error::New(info.Env(), "the input has not ended");
  }
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0u, input_digest_ == nullptr ? "" : input_digest_->FinishHex());
  pair.Set(1u, output_digest_ == nullptr ? "" : output_digest_->FinishHex());
  input_digest_.reset();
  output_digest_.reset();
  return pair;
}

void LayerInflater::Close(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.Close();
  // A window may be 128 MiB, and the collector, which sees a small object, may leave it for long.
  decoder_.reset();
  keep_inputs_.Reset();
  keep_outputs_.Reset();
  keep_tables_.Reset();
}

void LayerInflater::Drop(Slot& slot) {
  if (--slot.users > 0) return;
  const bool is_input = &slot >= inputs_.data() && &slot < inputs_.data() + inputs_.size();
  if (is_input) Wake();
  else decode_wake_.notify_one();
}

void LayerInflater::HandOver(Slot& output) {
  to_take_.push_back(static_cast<size_t>(&output - outputs_.data()));
  Wake();
}

void LayerInflater::Wake() {
  if (!js_waits_) return;
  js_waits_ = false;
  life_.Ready();
}

void LayerInflater::Fail(std::string failure) {
  std::lock_guard<std::mutex> lock(mutex_);
  failure_ = std::move(failure);
  Wake();
}

void LayerInflater::Decode() {
  StreamDecoder::Input input = {nullptr, 0};
  Slot* from = nullptr;
  std::string error;
  bool drained = true;  // the decoder holds nothing that could come without more input
  for (;;) {
    size_t to;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (from != nullptr && input.left == 0 && drained) {
        Drop(*from);
        from = nullptr;
      }
      decode_wake_.wait(lock, [this, &from] {
        return stopping_ || ((from != nullptr || !to_decode_.empty() || ended_) && FreeSlot(outputs_) != kNoSlot);
      });
      if (stopping_) return;
      if (from == nullptr && to_decode_.empty()) break;
      if (from == nullptr) {
        from = to_decode_.front();
        to_decode_.pop_front();
        input = {from->data, from->length};
      }
      to = TakeFreeSlot(outputs_);
    }
    Slot& output = outputs_[to];
    output.length = 0;
    // A slot is filled from as many inputs as are there, so that few are handed over.
    for (;;) {
      output.length += decoder_->Decode(input, output.data + output.length, output.capacity - output.length, error);
      drained = output.length < output.capacity;
      if (!error.empty() || !drained) break;
      std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_ || to_decode_.empty()) break;
      Drop(*from);
      from = to_decode_.front();
      to_decode_.pop_front();
      input = {from->data, from->length};
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (output.length == 0) {
        output.users = 0;
      } else if (block_digester_ != nullptr) {
        outputs_behind_++;
        outputs_to_hash_.push_back(&output);
      } else {
        if (output_digest_ != nullptr) {
          output.users = 2;
          outputs_to_hash_.push_back(&output);
        }
        HandOver(output);
      }
    }
    hash_wake_.notify_one();
    if (!error.empty()) return Fail(error);
  }
  if (!decoder_->IsComplete()) return Fail("truncated");
  {
    std::lock_guard<std::mutex> lock(mutex_);
    decoded_ = true;
  }
  hash_wake_.notify_one();
}

bool LayerInflater::ShouldHash() const {
  if (inputs_to_hash_.empty() && outputs_to_hash_.empty()) return false;
  if (!hashes_pairs_ || decoded_) return true;
  if (!inputs_to_hash_.empty() && !outputs_to_hash_.empty()) return true;
  // One side waits for the other as long as nobody waits for its slots.
  return FreeSlot(inputs_to_hash_.empty() ? outputs_ : inputs_) == kNoSlot;
}

LayerInflater::Slot* LayerInflater::NextToHash(std::deque<Slot*>& waiting) {
  if (waiting.empty()) return nullptr;
  Slot* slot = waiting.front();
  waiting.pop_front();
  return slot;
}

void LayerInflater::Hash() {
  for (;;) {
    Slot* input;
    Slot* output;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      hash_wake_.wait(lock, [this] { return stopping_ || decoded_ || ShouldHash(); });
      if (stopping_) return;
      input = NextToHash(inputs_to_hash_);
      output = NextToHash(outputs_to_hash_);
      if (input == nullptr && output == nullptr) {
        hashed_ = true;
        Wake();
        return;
      }
    }
    if (block_digester_ != nullptr) {
      if (input != nullptr) input_digest_->Update(input->data, input->length);
      if (output != nullptr)
        output->blocks = block_digester_->Update(output->data, output->length, output_digest_.get(), output->table,
                                                 output->table_capacity);
    } else if (input != nullptr && output != nullptr) {
      Digest::UpdateBoth(*input_digest_, input->data, input->length, *output_digest_, output->data, output->length);
    } else if (input != nullptr) {
      input_digest_->Update(input->data, input->length);
    } else {
      output_digest_->Update(output->data, output->length);
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (input != nullptr) Drop(*input);
    if (output == nullptr) continue;
    if (block_digester_ == nullptr) {
      Drop(*output);
    } else {
      outputs_behind_--;
      HandOver(*output);
    }
  }
}

}  // namespace oci2iso
