/*
 * Compresses blocks on THREADS threads with nothing around it, and prints the processor seconds that compressing alone took:
 *
 *   limit FILE zstd|gzip|xz|lz4 LEVEL BLOCK_BYTES THREADS [STRIDE]
 *
 * FILE holds blocks one after the other, each a 32-bit little-endian length and its bytes. The encoders are the addon's own, from native/.
 * With STRIDE only every STRIDEth block is taken, and what shrank is decoded again.
 * Output: processor seconds of compressing, wall seconds, blocks, bytes in, bytes out (a block that does not shrink counts as it is),
 * processor seconds of decoding, bytes decoded.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "../../native/codec.h"

namespace {

struct Result {
  double seconds = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  double decode_seconds = 0;
  uint64_t bytes_decoded = 0;
};

struct Work {
  const uint8_t* blocks;
  std::vector<size_t> starts;
  const oci2iso::Codec* codec;
  int level;
  size_t block_bytes;
  size_t stride;
  bool decodes;
  std::atomic<size_t> next{0};
};

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "limit: %s\n", what);
  std::exit(1);
}

double SecondsOf(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Run(Work& work, Result& result) {
  const auto encoder = work.codec->make_encoder(work.level, work.block_bytes);
  const auto decoder = work.codec->make_decoder();
  if (encoder == nullptr || decoder == nullptr) Fail("not enough memory");
  std::vector<uint8_t> in(work.block_bytes), out(work.block_bytes);
  for (size_t index; (index = work.next.fetch_add(work.stride)) < work.starts.size();) {
    uint32_t length;
    std::memcpy(&length, work.blocks + work.starts[index], 4);
    std::memcpy(in.data(), work.blocks + work.starts[index] + 4, length);
    const double start = SecondsOf(CLOCK_THREAD_CPUTIME_ID);
    const ptrdiff_t size = length < 2 ? oci2iso::kDoesNotFit : encoder->Encode(in.data(), length, out.data(), length - 1);
    const double middle = SecondsOf(CLOCK_THREAD_CPUTIME_ID);
    if (size < 0) Fail("a block cannot be compressed");
    result.seconds += middle - start;
    result.bytes_in += length;
    result.bytes_out += size == 0 ? length : static_cast<uint64_t>(size);
    if (!work.decodes || size == 0) continue;
    // Nothing but the time it takes is of interest, and that it comes out as long as it went in.
    const ptrdiff_t decoded = decoder->Decode(out.data(), static_cast<size_t>(size), in.data(), length);
    if (decoded != static_cast<ptrdiff_t>(length)) Fail("a block does not decode");
    result.decode_seconds += SecondsOf(CLOCK_THREAD_CPUTIME_ID) - middle;
    result.bytes_decoded += length;
  }
}

std::vector<size_t> StartsOf(const uint8_t* blocks, size_t size, size_t block_bytes) {
  std::vector<size_t> starts;
  for (size_t at = 0; at < size;) {
    uint32_t length;
    if (size - at < 4) Fail("the blocks' file is damaged");
    std::memcpy(&length, blocks + at, 4);
    if (length > block_bytes || length > size - at - 4) Fail("the blocks' file is damaged");
    starts.push_back(at);
    at += 4 + static_cast<size_t>(length);
  }
  return starts;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6 && count != 7) Fail("usage: limit FILE CODEC LEVEL BLOCK_BYTES THREADS [STRIDE]");
  Work work;
  work.codec = oci2iso::FindCodec(arguments[2]);
  if (work.codec == nullptr) Fail("built without this codec");
  work.level = std::atoi(arguments[3]);
  work.block_bytes = static_cast<size_t>(std::atol(arguments[4]));
  const size_t threads = static_cast<size_t>(std::atol(arguments[5]));
  work.decodes = count == 7;
  work.stride = work.decodes ? static_cast<size_t>(std::atol(arguments[6])) : 1;
  if (work.stride < 1) Fail("STRIDE is 1 or more");
  const int file = open(arguments[1], O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) Fail("cannot read the blocks");
  const size_t size = static_cast<size_t>(status.st_size);
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) Fail("not enough memory");
  work.blocks = static_cast<const uint8_t*>(mapped);
  work.starts = StartsOf(work.blocks, size, work.block_bytes);

  std::vector<Result> results(threads);
  std::vector<std::thread> running;
  const double start = SecondsOf(CLOCK_MONOTONIC);
  for (Result& result : results) running.emplace_back([&work, &result] { Run(work, result); });
  for (std::thread& thread : running) thread.join();
  const double wall = SecondsOf(CLOCK_MONOTONIC) - start;
  Result total;
  for (const Result& result : results) {
    total.seconds += result.seconds;
    total.bytes_in += result.bytes_in;
    total.bytes_out += result.bytes_out;
    total.decode_seconds += result.decode_seconds;
    total.bytes_decoded += result.bytes_decoded;
  }
  std::printf("%.3f %.3f %zu %llu %llu %.4f %llu\n", total.seconds, wall,
              (work.starts.size() + work.stride - 1) / work.stride, static_cast<unsigned long long>(total.bytes_in),
              static_cast<unsigned long long>(total.bytes_out), total.decode_seconds,
              static_cast<unsigned long long>(total.bytes_decoded));
}
