#pragma once

#include <napi.h>

namespace oci2iso {

/**
 * SHA-256 of bytes that are there as a whole, for the JavaScript thread:
 *
 * - `fastSha256: boolean`: whether they use the processor's instructions for it. Without, they use OpenSSL and throw where there is none, and a
 *   pair takes as long as two.
 * - `sha256(bytes, output: Uint8Array, offset)` writes the 32 bytes of the digest to output[offset] and on.
 * - `sha256Pair(a, b, output, offset)` writes the digest of `a` and behind it that of `b`, 64 bytes. What both have of whole blocks takes two
 *   thirds of the time of two calls of `sha256`.
 */
void DefineSha256(Napi::Env env, Napi::Object exports);

}  // namespace oci2iso
