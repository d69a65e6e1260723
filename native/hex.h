#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace oci2iso {

/** In lower-case hexadecimal digits. */
inline std::string Hex(const uint8_t* bytes, size_t length) {
  std::string hex;
  hex.reserve(2 * length);
  for (size_t i = 0; i < length; i++) {
    hex += "0123456789abcdef"[bytes[i] >> 4];
    hex += "0123456789abcdef"[bytes[i] & 15];
  }
  return hex;
}

}  // namespace oci2iso
