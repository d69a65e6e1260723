#include "block_copier.h"

#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <new>

#include "arguments.h"
#include "descriptor.h"
#include "digest.h"

namespace oci2iso {
namespace {

constexpr napi_type_tag kTag = {0x6f63693269736f06, 0x5be1c94f2d7087a3};
constexpr int64_t kMaxJobBytes = 1 << 20;
/** Read, checked and written at once, which stays in a second-level cache meanwhile; or two blocks, however large, because they are checked in pairs. */
constexpr int64_t kRunBytes = 1 << 18;
constexpr size_t kNumbersPerJob = 4;

/** Empty, or what went wrong. */
std::string ReadFully(int fd, int64_t offset, int64_t length, uint8_t* into) {
  while (length > 0) {
    const ssize_t count = pread(fd, into, static_cast<size_t>(length), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::string("read ") + uv_err_name(-errno);
    if (count == 0) return "truncated";
    into += count;
    offset += count;
    length -= count;
  }
  return "";
}

std::string WriteFully(int fd, int64_t offset, int64_t length, const uint8_t* from) {
  while (length > 0) {
    const ssize_t count = pwrite(fd, from, static_cast<size_t>(length), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::string("write ") + uv_err_name(-errno);
    from += count;
    offset += count;
    length -= count;
  }
  return "";
}

bool MakeDigest(const uint8_t* bytes, size_t length, uint8_t* digest) {
  const std::unique_ptr<Digest> sha256 = Digest::Make("sha256");
  if (sha256 == nullptr) return false;
  uint8_t made[Digest::kMaxBytes];
  sha256->Update(bytes, length);
  if (sha256->Finish(made) != Sha256::kDigestBytes) return false;
  std::memcpy(digest, made, Sha256::kDigestBytes);
  return true;
}

}  // namespace

Napi::Function BlockCopier::Define(Napi::Env env) {
  return DefineClass(env, "BlockCopier",
                     {InstanceMethod<&BlockCopier::AddSource>("addSource"),
                      InstanceMethod<&BlockCopier::Submit>("submit"), InstanceMethod<&BlockCopier::Poll>("poll"),
                      InstanceMethod<&BlockCopier::Failure>("failure"),
                      InstanceMethod<&BlockCopier::Close>("close")});
}

BlockCopier::BlockCopier(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BlockCopier>(info) {
  Napi::Env env = info.Env();
  const int fd = static_cast<int>(IntegerArgument(info, 0, 0, INT_MAX));
  fd_ = DuplicateDescriptor(env, fd);
  life_.Open(info, kTag, 1, "the copier", [this] { thread_ = std::thread([this] { Run(); }); }, [this] { Stop(); });
}

void BlockCopier::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (const int source : sources_) close(source);
  sources_.clear();
  close(fd_);
}

Napi::Value BlockCopier::AddSource(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  const int fd = DuplicateDescriptor(info.Env(), static_cast<int>(IntegerArgument(info, 0, 0, INT_MAX)));
  try {
    sources_.push_back(fd);
  } catch (const std::bad_alloc&) {
    close(fd);
    throw Napi::Error::New(info.Env(), "not enough memory for a source");
  }
  return Napi::Number::New(info.Env(), static_cast<double>(sources_.size() - 1));
}

void BlockCopier::Submit(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.RequireOpen();
  Napi::Env env = info.Env();
  const Napi::Value value = info[0];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    throw Napi::TypeError::New(env, "argument 0 must be a Float64Array");
  Napi::Float64Array numbers = value.As<Napi::Float64Array>();
  const Bytes checksums = BytesArgument(info, 1);
  const size_t count = numbers.ElementLength() / kNumbersPerJob;
  if (numbers.ElementLength() % kNumbersPerJob != 0 || checksums.length != count * Sha256::kDigestBytes)
    throw Napi::RangeError::New(env, "a job has four numbers and 32 bytes");
  if (count == 0) return;

  std::vector<Job> jobs;
  try {
    jobs.resize(count);
    const double* at = numbers.Data();
    for (size_t i = 0; i < count; i++, at += kNumbersPerJob) {
      const auto integer = [&](size_t index, double min, double max) {
        if (!(at[index] >= min && at[index] <= max) || at[index] != std::floor(at[index]))
          throw Napi::RangeError::New(env, "a job's source, offset, length or position is out of range");
        return static_cast<int64_t>(at[index]);
      };
      const int64_t source = integer(0, -1, static_cast<double>(sources_.size()) - 1);
      Job& job = jobs[i];
      job.is_checked = source >= 0;
      job.source_fd = job.is_checked ? sources_[static_cast<size_t>(source)] : fd_;
      job.offset = integer(1, 0, static_cast<double>(kMaxSafeInteger));
      job.length = integer(2, 1, static_cast<double>(kMaxJobBytes));
      job.position = integer(3, 0, static_cast<double>(kMaxSafeInteger));
      std::memcpy(job.checksum, checksums.data + i * Sha256::kDigestBytes, Sha256::kDigestBytes);
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_.empty()) return;
    queue_.insert(queue_.end(), jobs.begin(), jobs.end());
    submitted_ += static_cast<int64_t>(count);
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "not enough memory for the jobs");
  }
  life_.KeepAlive(true);
  wake_.notify_one();
}

Napi::Value BlockCopier::Poll(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  std::lock_guard<std::mutex> lock(mutex_);
  if (done_ == submitted_ || !failure_.empty()) life_.KeepAlive(false);
  return Napi::Number::New(info.Env(), static_cast<double>(done_));
}

Napi::Value BlockCopier::Failure(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  Napi::Env env = info.Env();
  std::lock_guard<std::mutex> lock(mutex_);
  if (failure_.empty()) return env.Undefined();
  Napi::Array failure = Napi::Array::New(env, 2);
  failure.Set(0u, static_cast<double>(done_));
  failure.Set(1u, failure_);
  return failure;
}

void BlockCopier::Close(const Napi::CallbackInfo& info) {
  RequireTag(info, kTag);
  life_.Close();
}

void BlockCopier::Run() {
  std::unique_ptr<uint8_t[]> buffer;
  std::vector<Job> run;
  while (TakeRun(run)) {
    size_t copied = 0;
    std::string reason;
    try {
      if (buffer == nullptr) buffer.reset(new uint8_t[2 * kMaxJobBytes]);
      copied = CopyRun(run, buffer.get(), reason);
    } catch (const std::bad_alloc&) {
      reason = "write ENOMEM";
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    done_ += static_cast<int64_t>(copied);
    if (copied < run.size()) failure_ = std::move(reason);
    if (done_ < submitted_ && failure_.empty()) continue;
    life_.Ready();
    if (!failure_.empty()) return;
  }
}

bool BlockCopier::TakeRun(std::vector<Job>& run) {
  run.clear();
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (stopping_) return false;
  int64_t bytes = 0;
  while (!queue_.empty()) {
    const Job& next = queue_.front();
    const bool follows = run.empty() || (next.is_checked && next.source_fd == run.back().source_fd &&
                                         next.offset == run.back().offset + run.back().length &&
                                         next.position == run.back().position + run.back().length &&
                                         (run.size() == 1 || bytes + next.length <= kRunBytes));
    if (!follows) break;
    bytes += next.length;
    run.push_back(next);
    queue_.pop_front();
  }
  return true;
}

size_t BlockCopier::CopyRun(const std::vector<Job>& run, uint8_t* buffer, std::string& reason) {
  const Job& first = run.front();
  const int64_t bytes = run.back().offset + run.back().length - first.offset;
  reason = ReadFully(first.source_fd, first.offset, bytes, buffer);
  // Where all of them cannot be read, one of them may still be: the failure is that one's.
  if (!reason.empty() && run.size() > 1) {
    for (size_t i = 0; i < run.size(); i++)
      if (CopyRun({run[i]}, buffer, reason) == 0) return i;
    return run.size();
  }
  if (!reason.empty()) return 0;

  size_t right = 0;
  const auto at = [&](size_t i) { return buffer + (run[i].offset - first.offset); };
  const auto length = [&](size_t i) { return static_cast<size_t>(run[i].length); };
  const auto is_right = [&](size_t i, const uint8_t* digest) {
    return std::memcmp(digest, run[i].checksum, Sha256::kDigestBytes) == 0;
  };
  uint8_t digests[2][Sha256::kDigestBytes];
  while (first.is_checked && right < run.size()) {
    if (Sha256::IsAvailable() && right + 1 < run.size()) {
      Sha256 a, b;
      Sha256::UpdateBoth(a, at(right), length(right), b, at(right + 1), length(right + 1));
      Sha256::FinishBoth(a, digests[0], b, digests[1]);
      if (!is_right(right, digests[0])) break;
      right++;
      if (!is_right(right, digests[1])) break;
    } else if (!MakeDigest(at(right), length(right), digests[0]) || !is_right(right, digests[0])) {
      break;
    }
    right++;
  }
  if (!first.is_checked) right = run.size();
  if (right < run.size()) reason = "checksum";
  if (right == 0) return 0;
  const int64_t end = run[right - 1].position + run[right - 1].length;
  const std::string failure = WriteFully(fd_, first.position, end - first.position, buffer);
  if (failure.empty()) return right;
  reason = failure;
  return 0;
}

}  // namespace oci2iso
