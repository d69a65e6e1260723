#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "block_digester.h"
#include "digest.h"
#include "stream_decoder.h"
#include "thread_life.h"

namespace oci2iso {

/**
 * JavaScript class `LayerInflater(format, maxWindowLog, inputDigest, outputDigest, inputs, outputs, onReady, blockBytes, tables)`: decodes "gzip", "zstd" or
 * "none" on one thread of its own and digests both sides on another. `inputs` and `outputs` are arrays of Buffers, the slots through which the
 * bytes go; a digest is "sha256", "sha512" or "" for none. `blockBytes`, 0 or 4096 to 1 MiB, is for a tar archive: what comes out is then handed over with
 * the digests of its files' blocks, which a `BlockDigester` writes to the output slot's Buffer in `tables`.
 *
 * - `acquire(): number` is a free input slot, or -1.
 * - `write(slot, length)` hands over the first `length` bytes of an input slot from `acquire`; `end()` says that no more come.
 * - `take(output: Int32Array): 0 | 1 | 2 | string` is 1 with a slot, a length and how many blocks were digested in output[0] to [2], 2 after the end, when
 *   both digests are known, 0 when there is nothing yet, and otherwise the decoder's name of the failure ("truncated" where the data
 *   ends too early).
 * - `release(slot)` gives an output slot back.
 * - `digests(): [input, output]` in hexadecimal digits, after `take` returned 2.
 * - `close()` stops the threads; the slots may then be used for something else.
 *
 * `onReady()` runs on the JavaScript thread, once, after `acquire` returned -1 or `take` 0 and there is something for either.
 */
class LayerInflater : public Napi::ObjectWrap<LayerInflater> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit LayerInflater(const Napi::CallbackInfo& info);

 private:
  struct Slot {
    uint8_t* data;
    size_t capacity;
    size_t length = 0;
    uint8_t* table = nullptr;
    size_t table_capacity = 0;
    size_t blocks = 0;
    /** The threads, JavaScript included, that still use it; 0 is free. */
    int users = 0;
    /** JavaScript may write to it, or read from it. */
    bool lent = false;
  };

  Napi::Value Acquire(const Napi::CallbackInfo& info);
  void Write(const Napi::CallbackInfo& info);
  void End(const Napi::CallbackInfo& info);
  Napi::Value Take(const Napi::CallbackInfo& info);
  void Release(const Napi::CallbackInfo& info);
  Napi::Value Digests(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void Stop();
  void AddSlots(const Napi::CallbackInfo& info, size_t index, std::vector<Slot>& slots);
  void AddTables(const Napi::CallbackInfo& info, size_t index);

  void Decode();
  void Hash();
  void Fail(std::string failure);
  /** With the mutex held, as all below. */
  void Drop(Slot& slot);
  void Wake();
  size_t FreeSlot(const std::vector<Slot>& slots) const;
  /** A free slot, which is not free any more, or kNoSlot. */
  size_t TakeFreeSlot(std::vector<Slot>& slots);
  bool ShouldHash() const;
  void HandOver(Slot& output);
  static Slot* NextToHash(std::deque<Slot*>& waiting);

  std::vector<Slot> inputs_;
  std::vector<Slot> outputs_;
  Napi::Reference<Napi::Array> keep_inputs_;
  Napi::Reference<Napi::Array> keep_outputs_;
  Napi::Reference<Napi::Array> keep_tables_;
  std::unique_ptr<StreamDecoder> decoder_;
  std::unique_ptr<Digest> input_digest_;
  std::unique_ptr<Digest> output_digest_;
  /** Absent: outputs are handed over as soon as they are decoded. */
  std::unique_ptr<BlockDigester> block_digester_;
  /** One chunk of each side takes less time together than one after the other. */
  bool hashes_pairs_ = false;

  // Everything below that the threads share is read and written with the mutex held.
  std::mutex mutex_;
  std::condition_variable decode_wake_;
  std::condition_variable hash_wake_;
  std::deque<Slot*> to_decode_;
  std::deque<Slot*> inputs_to_hash_;
  std::deque<Slot*> outputs_to_hash_;
  std::deque<size_t> to_take_;
  /** Decoded and not handed over yet. */
  size_t outputs_behind_ = 0;
  bool ended_ = false;
  bool decoded_ = false;
  bool hashed_ = false;
  bool stopping_ = false;
  bool js_waits_ = false;
  std::string failure_;

  std::thread decode_thread_;
  std::thread hash_thread_;
  /** Keeps the event loop alive while JavaScript waits. */
  ThreadLife life_;
};

}  // namespace oci2iso
