#pragma once

#include <napi.h>

namespace oci2iso {

/**
 * Adds `lockFile(fd)`: takes flock(2)'s exclusive lock without waiting. 1: it is ours until the descriptor is closed, also by the end of the process;
 * 0: somebody else has it; -1: this file system has no locks. And `lockFileShared(fd)`: the same with fcntl(2)'s lock for reading, which keeps out those who lock that
 * way for writing.
 */
void DefineFileLock(Napi::Env env, Napi::Object exports);

}  // namespace oci2iso
