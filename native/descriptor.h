#pragma once

#include <fcntl.h>
#include <napi.h>
#include <uv.h>

#include <cerrno>
#include <string>

namespace oci2iso {

/** A descriptor of our own for the file behind `fd`, so that the caller may close that one. Throws Error where it is not open. */
inline int DuplicateDescriptor(Napi::Env env, int fd) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) throw Napi::Error::New(env, std::string("cannot use the descriptor: ") + uv_err_name(-errno));
  return own;
}

}  // namespace oci2iso
