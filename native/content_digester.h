#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "codec.h"
#include "worker_pool.h"

namespace oci2iso {

/**
 * JavaScript class `ContentDigester(codec, blockBytes, threads)`: decodes blocks and makes the SHA-256 of parts of them, on threads of its own. `codec` is
 * "" where nothing is decoded; blocks decode to at most `blockBytes`.
 *
 * - `addSlot(byteLength): Buffer` makes the next slot (numbered from 0): memory for what goes in.
 * - `submit(slot, length, maxBytes, units: Int32Array)` takes the first `length` bytes of a slot: a block that decodes to 1 to `maxBytes` bytes, or where
 *   that is 0 the content itself. `units` has three numbers for each part: offset and length in the content, and whether the length, as 8 bytes little
 *   endian, is digested behind it.
 * - `take(waits, digests: Uint8Array): number` takes the job that was submitted first: how many bytes its content has, or -1 where it does not decode to
 *   that many, a part lies outside of it, or memory is short. `digests` gets 32 bytes for each part, all zero where all of its bytes are. -2 where there is
 *   no job, or it is not finished and `waits` is false.
 * - `close()` forgets what has not started, waits for what has and ends the threads.
 */
class ContentDigester : public Napi::ObjectWrap<ContentDigester> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit ContentDigester(const Napi::CallbackInfo& info);

 private:
  struct Slot;

  Napi::Value AddSlot(const Napi::CallbackInfo& info);
  void Submit(const Napi::CallbackInfo& info);
  Napi::Value Take(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  size_t block_bytes_;
  // One for each worker; without a codec there are none.
  std::vector<std::unique_ptr<BlockDecoder>> decoders_;
  std::vector<std::unique_ptr<uint8_t[]>> decoded_;
  std::vector<std::shared_ptr<Slot>> slots_;
  /** In the order of submission; of the JavaScript thread. */
  std::deque<Slot*> order_;

  std::mutex mutex_;
  std::condition_variable finished_;
  /** The last member: it is gone before anything that its threads use. */
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace oci2iso
