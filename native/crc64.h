#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>

namespace oci2iso {

/** CRC-64 with ISO 3309's polynomial, x^64 + x^4 + x^3 + x + 1, the highest power in the lowest bit: what `crc` becomes with these bytes, without inversions. */
uint64_t UpdateCrc64(uint64_t crc, const uint8_t* bytes, size_t length) noexcept;

/** Adds to `exports`: `crc64(bytes, state: Int32Array)`, which takes the checksum's low half from state[0] and its high one from state[1] and puts the new ones there. */
void DefineCrc64(Napi::Env env, Napi::Object exports);

}  // namespace oci2iso
