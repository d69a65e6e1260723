#pragma once

#include <memory>
#include <string>

#include "digest.h"

namespace oci2iso {

/**
 * A digest made by the OpenSSL that node itself carries, found at run time: no header is needed to build and no library to load. It uses
 * the processor's hash instructions. "sha256" or "sha512"; nullptr where node does not export OpenSSL or memory is short.
 */
std::unique_ptr<Digest> MakeOpensslDigest(const std::string& algorithm);

}  // namespace oci2iso
