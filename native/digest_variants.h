#pragma once

#include <napi.h>

namespace oci2iso {

/**
 * For tests: every implementation of a digest that this processor and node have, those that the others hide included. An object
 * with a function by name, "sha256 processor", "sha256 openssl", "sha512 openssl", "md5": `(a: Uint8Array[], b: Uint8Array[]) => [string, string]`
 * digests two streams, piece by piece of both at once as long as both last, and gives hexadecimal digits.
 */
Napi::Object DescribeDigestVariants(Napi::Env env);

}  // namespace oci2iso
