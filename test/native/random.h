#pragma once

#include <cstdint>

/** Of the generator below (xorshift64); whoever uses it sets it to anything but 0. */
inline uint64_t state;

/** 0 to `limit` - 1. */
inline uint32_t Below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<uint32_t>(state >> 11) % limit;
}
