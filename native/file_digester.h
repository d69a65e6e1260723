#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "md5.h"
#include "thread_life.h"

namespace oci2iso {

/**
 * JavaScript class `FileDigester(fd, head, snapshots, onReady)`: MD5 of a file that grows, on one thread of its own. `fd` is open for reading,
 * and may be closed afterwards. The first bytes are those of the Uint8Array `head`, which is copied, whatever the file has there.
 * `snapshots` is a Float64Array of ascending numbers of bytes, none less than `head.length`; equal ones may follow each other.
 * What stands at each of them is a digest, and the last one is where it ends.
 *
 * - `allow(bytes)` says that the first `bytes` of the file are as they stay. What is behind is not read; at first nothing is.
 * - `doneBytes(): number` is how many have been digested, those of `head` included.
 * - `result(): string[] | string | undefined` is, at the end, the digest at each snapshot in hexadecimal digits; where reading failed the
 *   name of the failure ("EIO", or "truncated" where the file ends too early); undefined while there is neither.
 * - `close()` stops the thread; `result()` stays what it was.
 *
 * `onReady()` runs on the JavaScript thread, once, when `result()` is there; until then, or `close`, the event loop stays alive.
 */
class FileDigester : public Napi::ObjectWrap<FileDigester> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit FileDigester(const Napi::CallbackInfo& info);

 private:
  void Allow(const Napi::CallbackInfo& info);
  Napi::Value DoneBytes(const Napi::CallbackInfo& info);
  Napi::Value Result(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void Stop();
  /** Lets go of what keeps this object and the event loop alive. */
  void Settle();
  void TakeSnapshots(const Napi::CallbackInfo& info);

  /** Of the thread. */
  void Run();
  /** The name of a failure; empty at the end, and where the thread was stopped. */
  std::string DigestFile();
  /** Where the allowed bytes end, which is behind `at`; `at` where the thread was stopped. */
  int64_t WaitForMore(int64_t at);
  void Advance(const uint8_t* bytes, int64_t length);

  int fd_ = -1;
  std::vector<uint8_t> head_;
  std::vector<int64_t> snapshots_;
  Md5 md5_;
  std::atomic<int64_t> done_bytes_{0};

  // Everything below that both threads use is read and written with the mutex held.
  std::mutex mutex_;
  std::condition_variable wake_;
  int64_t allowed_bytes_ = 0;
  bool stopping_ = false;
  bool ready_ = false;
  std::string failure_;
  std::vector<std::string> digests_;

  std::thread thread_;
  bool settled_ = false;
  ThreadLife life_;
};

}  // namespace oci2iso
