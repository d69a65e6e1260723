// Feeds damaged gzip streams to the addon's decoder, compiled with sanitizers: SECONDS SEED FILE...
// Exits with 0 when the time is over; a memory fault or undefined behaviour ends it otherwise.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "../../native/stream_decoder.h"
#include "random.h"

namespace {

using Bytes = std::vector<uint8_t>;

void Damage(Bytes& bytes) {
  for (uint32_t edits = 1u << Below(4); edits > 0 && !bytes.empty(); edits--) {
    const uint32_t at = Below(static_cast<uint32_t>(bytes.size()));
    switch (Below(5)) {
      case 0: bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1u << Below(8))); break;
      case 1: bytes[at] = static_cast<uint8_t>(Below(256)); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.erase(bytes.begin() + at, bytes.begin() + at + Below(static_cast<uint32_t>(bytes.size()) - at)); break;
      default: bytes.insert(bytes.begin() + at, 1 + Below(8), static_cast<uint8_t>(Below(256)));
    }
  }
}

size_t DecodeAll(const Bytes& bytes) {
  const auto decoder = oci2iso::MakeGzipDecoder();
  if (decoder == nullptr) std::abort();
  std::string error;
  size_t total = 0;
  for (size_t at = 0; at < bytes.size() && error.empty();) {
    // Buffers of exactly the length, so that a byte too far is seen.
    const size_t length = 1 + Below(static_cast<uint32_t>(bytes.size() - at));
    const Bytes piece(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at + length));
    at += length;
    oci2iso::StreamDecoder::Input input = {piece.data(), piece.size()};
    for (;;) {
      Bytes output(1 + Below(Below(4) == 0 ? 70'000 : 300));
      const size_t made = decoder->Decode(input, output.data(), output.size(), error);
      if (made > output.size()) std::abort();
      total += made;
      if (!error.empty() || made < output.size() || total > (1u << 20)) break;
    }
    if (total > (1u << 20)) break;
  }
  return total;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  state = std::strtoull(argv[2], nullptr, 10) * 0x9e3779b97f4a7c15ull + 1;
  std::vector<Bytes> seeds;
  for (int i = 3; i < argc; i++) {
    std::ifstream file(argv[i], std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atol(argv[1]));
  size_t inputs = 0;
  size_t total = 0;
  for (const Bytes& seed : seeds) {
    const size_t made = DecodeAll(seed);
    if (made == 0) return 3;
    total += made;
  }
  while (std::chrono::steady_clock::now() < end) {
    Bytes bytes = seeds[Below(static_cast<uint32_t>(seeds.size()))];
    Damage(bytes);
    total += DecodeAll(bytes);
    inputs++;
  }
  std::printf("%zu inputs, %zu bytes\n", inputs, total);
  return 0;
}
