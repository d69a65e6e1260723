#include "file_lock.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

namespace oci2iso {

namespace {

Napi::Value LockFile(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  int status = 0;
  do {
    status = flock(fd, LOCK_EX | LOCK_NB);
  } while (status != 0 && errno == EINTR);
  const int outcome = status == 0 ? 1 : errno == EWOULDBLOCK ? 0 : -1;
  return Napi::Number::New(info.Env(), outcome);
}

Napi::Value LockFileShared(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  struct flock range = {};
  range.l_type = F_RDLCK;
  range.l_whence = SEEK_SET;
  int status = 0;
  do {
    // of the open file, not of the process, which other parts of it could drop
    status = fcntl(fd, F_OFD_SETLK, &range);
  } while (status != 0 && errno == EINTR);
  const int outcome = status == 0 ? 1 : errno == EAGAIN || errno == EACCES ? 0 : -1;
  return Napi::Number::New(info.Env(), outcome);
}

}  // namespace

void DefineFileLock(Napi::Env env, Napi::Object exports) {
  exports.Set("lockFile", Napi::Function::New(env, LockFile, "lockFile"));
  exports.Set("lockFileShared", Napi::Function::New(env, LockFileShared, "lockFileShared"));
}

}  // namespace oci2iso
