#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace oci2iso {

/** A piece of work that touches no JavaScript. */
class Job {
 public:
  virtual ~Job() = default;
  /** Runs on one worker thread; `worker` is 0 to threads - 1 and selects that thread's own contexts. */
  virtual void Run(unsigned worker) noexcept = 0;
};

/** Threads of our own, so that heavy work never waits behind, or starves, libuv's four. Jobs start in the order of submission. */
class WorkerPool {
 public:
  /** Throws std::system_error when a thread cannot be started. */
  explicit WorkerPool(unsigned threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /** `job` stays the caller's and must live until it ran or `Stop` returned. */
  void Submit(Job* job);
  /** Forgets the jobs that have not started and waits for those that have. Safe to call twice. */
  void Stop();

 private:
  void Work(unsigned worker);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job*> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace oci2iso
