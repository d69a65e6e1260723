#pragma once

#include <napi.h>

#include <exception>
#include <functional>
#include <string>
#include <utility>

#include "arguments.h"

namespace oci2iso {

/**
 * The life of the threads that a JavaScript object owns, and of the function that they call when there is something to fetch. They end with `Close`, with
 * the object or with the environment, whichever comes first, and each of these waits for them. It is the last member of its owner, so that the threads are
 * gone before anything that they use. All but `Ready` is for the JavaScript thread.
 */
class ThreadLife {
 public:
  ThreadLife() = default;
  ThreadLife(const ThreadLife&) = delete;
  ThreadLife& operator=(const ThreadLife&) = delete;
  ~ThreadLife() {
    if (open_) Close();
  }

  /**
   * The last step of an owner's constructor: nothing that follows may fail. `start` starts the threads and throws std::exception where it cannot, `stop`
   * ends those that run; argument `function` is called by `Ready`. Throws a JavaScript error with nothing left behind.
   */
  void Open(const Napi::CallbackInfo& info, const napi_type_tag& tag, size_t function, const char* name,
            const std::function<void()>& start, std::function<void()> stop) {
    env_ = info.Env();
    name_ = name;
    stop_ = std::move(stop);
    try {
      if (!info[function].IsFunction())
        throw Napi::TypeError::New(env_, "argument " + std::to_string(function) + " must be a function");
      on_ready_ = Napi::ThreadSafeFunction::New(env_, info[function].As<Napi::Function>(), name_, 0, 1);
    } catch (...) {
      stop_();
      throw;
    }
    on_ready_.Unref(env_);
    try {
      start();
    } catch (const std::exception& error) {
      stop_();
      on_ready_.Abort();
      throw Napi::Error::New(env_, "cannot start the threads of " + name_ + ": " + error.what());
    }
    // Clean-up hooks run last in, first out: the threads stop before the function that they call goes away.
    napi_add_env_cleanup_hook(env_, Shutdown, this);
    napi_type_tag_object(env_, info.This(), &tag);
    open_ = true;
  }

  bool IsOpen() const { return open_; }

  void RequireOpen() const {
    if (!open_) throw Napi::Error::New(env_, name_ + " is closed");
  }

  /** Whether the event loop stays alive for what the threads will say. */
  void KeepAlive(bool keep) {
    if (!open_ || keep == kept_) return;
    kept_ = keep;
    if (keep) on_ready_.Ref(env_);
    else on_ready_.Unref(env_);
  }

  /** Of any thread: has the function called, or `call(env, function)` in its place. */
  void Ready() const { on_ready_.NonBlockingCall(); }
  template <typename Call>
  void Ready(Call call) const {
    on_ready_.NonBlockingCall(call);
  }

  void Close() {
    if (!open_) return;
    napi_remove_env_cleanup_hook(env_, Shutdown, this);
    Shutdown(this);
    on_ready_.Abort();
  }

 private:
  static void Shutdown(void* self) {
    auto* life = static_cast<ThreadLife*>(self);
    life->open_ = false;
    life->stop_();
  }

  Napi::Env env_ = nullptr;
  std::string name_;
  std::function<void()> stop_;
  Napi::ThreadSafeFunction on_ready_;
  bool kept_ = false;
  bool open_ = false;
};

}  // namespace oci2iso
