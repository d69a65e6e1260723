#pragma once

#include <napi.h>

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "codec.h"
#include "thread_life.h"
#include "worker_pool.h"

namespace oci2iso {

/**
 * JavaScript class `BlockCompressor(codec, level, blockBytes, threads, onReady, filter?)`: compresses blocks on its own threads. `filter` is one of the codec's `filters`.
 *
 * - `addSlot(): [input, output]` makes the next slot (numbered from 0): two Buffers of blockBytes in memory that both sides share.
 * - `submit(slot, length)` starts compressing the first `length` bytes of the slot's input.
 * - `drain(results: Int32Array): number` takes finished blocks off the head of the order of submission, as pairs of slot and
 *   length of the output (0: it does not shrink; negative: the codec failed), and returns the number of pairs. Call it until it
 *   returns 0: `onReady` is not called again for what was finished and did not fit.
 * - `encodeNow(block, output): number` is one block of at most 8 KiB on this thread; the same lengths.
 * - `close()` forgets what has not started, waits for what has, ends the threads and gives the slots' memory back; only `encodeNow`
 *   goes on working.
 *
 * `onReady()` runs on the JavaScript thread after the head of the order finished; many blocks may share one call.
 */
class BlockCompressor : public Napi::ObjectWrap<BlockCompressor> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit BlockCompressor(const Napi::CallbackInfo& info);

 private:
  struct Slot;

  Napi::Value AddSlot(const Napi::CallbackInfo& info);
  void Submit(const Napi::CallbackInfo& info);
  Napi::Value Drain(const Napi::CallbackInfo& info);
  Napi::Value EncodeNow(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void Finished(Slot& slot) noexcept;

  size_t block_bytes_;
  std::vector<std::unique_ptr<BlockEncoder>> encoders_;  // one for each worker
  std::unique_ptr<BlockEncoder> now_;
  std::vector<std::shared_ptr<Slot>> slots_;

  // The order of submission. Only the JavaScript thread touches the queue; workers compare with `head_`.
  std::deque<Slot*> order_;
  uint64_t next_sequence_ = 0;
  std::atomic<uint64_t> head_{0};
  std::atomic<bool> wake_pending_{false};

  std::unique_ptr<WorkerPool> pool_;
  ThreadLife life_;
};

}  // namespace oci2iso
