#pragma once

#include <napi.h>

namespace oci2iso {

/**
 * Adds `lockFile(fd)`: takes flock(2)'s exclusive lock without waiting. 1: it is ours until the descriptor is closed, also by the end of the process;
 * 0: somebody else has it; -1: this file system has no locks.
 */
void DefineFileLock(Napi::Env env, Napi::Object exports);

}  // namespace oci2iso
