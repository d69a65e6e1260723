#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sha256.h"
#include "thread_life.h"

namespace oci2iso {

/**
 * JavaScript class `BlockCopier(fd, onReady)`: copies blocks of files into another one, on one thread of its own, and checks them on the way. `fd` is
 * open for reading and writing. It and the sources may be closed when they have been handed over.
 *
 * - `addSource(fd): number` takes a file to copy from, and numbers it from 0.
 * - `submit(jobs: Float64Array, checksums: Uint8Array)` queues copies, four numbers for each: source, offset there, length (1 to 1 MiB), offset in the
 *   output; and 32 bytes, the SHA-256 that the block must have. Source -1 is the output itself: what it copies is not checked. They happen one after
 *   the other. A block that is not what it should be is not written, and nothing that follows it.
 * - `poll(): number` is how many are done. The event loop stays alive until it has answered that all are, or that one failed.
 * - `failure(): [job: number, reason: string] | undefined` is the job that failed, numbered from 0: "checksum", "truncated", or the name of what
 *   went wrong with "read " or "write " before it.
 * - `close()` stops the thread, whatever it has done; `poll` and `failure` stay what they were.
 *
 * `onReady()` runs on the JavaScript thread when everything submitted is done, or one failed.
 */
class BlockCopier : public Napi::ObjectWrap<BlockCopier> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit BlockCopier(const Napi::CallbackInfo& info);

 private:
  struct Job {
    int source_fd;
    bool is_checked;
    int64_t offset;
    int64_t length;
    int64_t position;
    uint8_t checksum[Sha256::kDigestBytes];
  };

  Napi::Value AddSource(const Napi::CallbackInfo& info);
  void Submit(const Napi::CallbackInfo& info);
  Napi::Value Poll(const Napi::CallbackInfo& info);
  Napi::Value Failure(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void Stop();

  /** Of the thread. */
  void Run();
  /** Neighbours that are copied at once; empty where the thread was stopped. */
  bool TakeRun(std::vector<Job>& run);
  /** How many of the run are right, and with less than all of them what is wrong with the next. */
  size_t CopyRun(const std::vector<Job>& run, uint8_t* buffer, std::string& reason);

  int fd_ = -1;
  std::vector<int> sources_;

  // Everything below that both threads use is read and written with the mutex held.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  int64_t submitted_ = 0;
  int64_t done_ = 0;
  std::string failure_;
  bool stopping_ = false;

  std::thread thread_;
  ThreadLife life_;
};

}  // namespace oci2iso
