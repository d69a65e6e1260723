#include "file_digester.h"

#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <new>

#include "arguments.h"
#include "descriptor.h"
#include "hex.h"

namespace oci2iso {
namespace {

constexpr napi_type_tag kTag = {0x6f63693269736f05, 0x91c2d06b7f3a48e5};
/** Stays in a second-level cache between the kernel's copying it there and its being digested. */
constexpr int64_t kPieceBytes = 1 << 17;

}  // namespace

Napi::Function FileDigester::Define(Napi::Env env) {
  return DefineClass(env, "FileDigester",
                     {InstanceMethod<&FileDigester::Allow>("allow"),
                      InstanceMethod<&FileDigester::DoneBytes>("doneBytes"),
                      InstanceMethod<&FileDigester::Result>("result"), InstanceMethod<&FileDigester::Close>("close")});
}

FileDigester::FileDigester(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileDigester>(info) {
  Napi::Env env = info.Env();
  const int fd = static_cast<int>(IntegerArgument(info, 0, 0, INT_MAX));
  const Bytes head = BytesArgument(info, 1);
  try {
    head_.assign(head.data, head.data + head.length);
    TakeSnapshots(info);
    digests_.reserve(snapshots_.size());
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for the head and the snapshots");
  }
  fd_ = DuplicateDescriptor(env, fd);
  life_.Open(info, kTag, 3, "the digester", [this] { thread_ = std::thread([this] { Run(); }); }, [this] { Stop(); });
  life_.KeepAlive(true);
  Ref();
}

void FileDigester::TakeSnapshots(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Napi::Value value = info[2];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    throw Napi::TypeError::New(env, "argument 2 must be a Float64Array");
  Napi::Float64Array offsets = value.As<Napi::Float64Array>();
  if (offsets.ElementLength() == 0) throw Napi::RangeError::New(env, "argument 2 must have a snapshot");
  double least = static_cast<double>(head_.size());
  for (size_t i = 0; i < offsets.ElementLength(); i++) {
    const double offset = offsets[i];
    if (!(offset >= least && offset <= static_cast<double>(kMaxSafeInteger)) || offset != std::floor(offset))
      throw Napi::RangeError::New(env, "argument 2 must be ascending integers, none less than the head's length");
    snapshots_.push_back(static_cast<int64_t>(offset));
    least = offset;
  }
}

void FileDigester::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  close(fd_);
}

void FileDigester::Settle() {
  if (settled_) return;
  settled_ = true;
  life_.KeepAlive(false);
  Unref();
}

void FileDigester::Allow(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  const int64_t bytes = IntegerArgument(info, 0, 0, kMaxSafeInteger);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (bytes <= allowed_bytes_) return;
    allowed_bytes_ = bytes;
  }
  wake_.notify_one();
}

Napi::Value FileDigester::DoneBytes(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  return Napi::Number::New(info.Env(), static_cast<double>(done_bytes_.load(std::memory_order_relaxed)));
}

Napi::Value FileDigester::Result(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  Napi::Env env = info.Env();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!ready_) return env.Undefined();
  }
  // Nothing changes them any more.
  if (!failure_.empty()) return Napi::String::New(env, failure_);
  Napi::Array digests = Napi::Array::New(env, digests_.size());
  for (size_t i = 0; i < digests_.size(); i++) digests.Set(static_cast<uint32_t>(i), digests_[i]);
  return digests;
}

void FileDigester::Close(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  if (!life_.IsOpen()) return;
  life_.Close();
  Settle();
}

void FileDigester::Run() {
  std::string failure;
  try {
    failure = DigestFile();
  } catch (const std::bad_alloc&) {
    failure = "ENOMEM";
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_) return;
  failure_ = std::move(failure);
  ready_ = true;
  // This object is there when the function runs: it is let go of there, and closing it takes the call back.
  life_.Ready([this](Napi::Env, Napi::Function on_ready) {
    if (!life_.IsOpen()) return;
    Settle();
    on_ready.Call({});
  });
}

std::string FileDigester::DigestFile() {
  Advance(head_.data(), static_cast<int64_t>(head_.size()));
  const std::unique_ptr<uint8_t[]> piece(new uint8_t[kPieceBytes]);
  const int64_t total = snapshots_.back();
  for (int64_t at = static_cast<int64_t>(head_.size()); at < total;) {
    const int64_t end = std::min(WaitForMore(at), total);
    if (end == at) return "";
    while (at < end) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (stopping_) return "";
      }
      const ssize_t count = pread(fd_, piece.get(), static_cast<size_t>(std::min(kPieceBytes, end - at)), at);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return uv_err_name(-errno);
      if (count == 0) return "truncated";
      Advance(piece.get(), count);
      at += count;
    }
  }
  return "";
}

int64_t FileDigester::WaitForMore(int64_t at) {
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this, at] { return stopping_ || allowed_bytes_ > at; });
  return stopping_ ? at : allowed_bytes_;
}

void FileDigester::Advance(const uint8_t* bytes, int64_t length) {
  const int64_t begin = done_bytes_.load(std::memory_order_relaxed);
  int64_t at = 0;
  for (;;) {
    const bool stops = digests_.size() < snapshots_.size() && snapshots_[digests_.size()] - begin <= length;
    const int64_t to = stops ? snapshots_[digests_.size()] - begin : length;
    md5_.Update(bytes + at, static_cast<size_t>(to - at));
    at = to;
    if (!stops) break;
    Md5 copy = md5_;
    uint8_t digest[Md5::kDigestBytes];
    copy.Finish(digest);
    digests_.push_back(Hex(digest, sizeof digest));
  }
  done_bytes_.store(begin + length, std::memory_order_relaxed);
}

}  // namespace oci2iso
