#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace oci2iso {

/** Whether all bytes are zero; true for none. */
inline bool IsZero(const uint8_t* bytes, size_t length) noexcept {
  return length == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, length - 1) == 0);
}

}  // namespace oci2iso
