/*
 * Compresses blocks on THREADS threads with nothing around it, and prints the processor seconds that compressing alone took:
 *
 *   limit FILE zstd|gzip|xz|lz4 LEVEL BLOCK_BYTES THREADS [STRIDE]
 *
 * FILE holds blocks one after the other, each a 32-bit little-endian length and its bytes. The encoders are called exactly as native/ does.
 * With STRIDE only every STRIDEth block is taken, and what shrank is decoded again.
 * Output: processor seconds of compressing, wall seconds, blocks, bytes in, bytes out (a block that does not shrink counts as it is),
 * processor seconds of decoding, bytes decoded.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lz4.h>
#include <lz4hc.h>
#include "../../native/zstd_parameters.h"
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#elif defined(HAVE_ZLIB)
#include <zlib.h>
#endif
#ifdef HAVE_LIBLZMA
#include <lzma.h>
#endif

static const uint8_t *blocks;
static size_t *starts;
static size_t block_count;
static size_t next_block;
static const char *codec;
static int level;
static size_t block_bytes;
static size_t stride = 1;
static int decodes;

struct result {
	double seconds;
	uint64_t bytes_in;
	uint64_t bytes_out;
	double decode_seconds;
	uint64_t bytes_decoded;
};

static void fail(const char *what) {
	fprintf(stderr, "limit: %s\n", what);
	exit(1);
}

static double seconds_of(clockid_t clock) {
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *context_for_codec(void) {
	if (strcmp(codec, "zstd") == 0) {
		ZSTD_CCtx *context = ZSTD_createCCtx();
		SetZstdParameters(context, level, block_bytes);
		return context;
	}
	if (strcmp(codec, "lz4") == 0) return malloc((size_t)(level == 0 ? LZ4_sizeofState() : LZ4_sizeofStateHC()));
#ifdef HAVE_LIBDEFLATE
	if (strcmp(codec, "gzip") == 0) return libdeflate_alloc_compressor(level);
#elif defined(HAVE_ZLIB)
	if (strcmp(codec, "gzip") == 0) {
		z_stream *stream = calloc(1, sizeof *stream);
		if (stream == NULL || deflateInit2(stream, level, Z_DEFLATED, 15, 8, Z_DEFAULT_STRATEGY) != Z_OK) return NULL;
		return stream;
	}
#endif
#ifdef HAVE_LIBLZMA
	if (strcmp(codec, "xz") == 0) {
		lzma_options_lzma *options = malloc(sizeof *options);
		if (options == NULL || lzma_lzma_preset(options, (uint32_t)level)) return NULL;
		options->dict_size = (uint32_t)(block_bytes < 8192 ? 8192 : block_bytes);
		return options;
	}
#endif
	fail("built without this codec");
	return NULL;
}

/* The length, or `length` where the block does not shrink. */
static size_t compress_block(void *context, const uint8_t *in, size_t length, uint8_t *out) {
	const size_t capacity = length - 1;
	if (length < 2) return length;
	if (strcmp(codec, "zstd") == 0) {
		const size_t size = ZSTD_compress2(context, out, capacity, in, length);
		return ZSTD_isError(size) ? length : size;
	}
	if (strcmp(codec, "lz4") == 0) {
		const int size = level == 0 ? LZ4_compress_fast_extState(context, (const char *)in, (char *)out, (int)length, (int)capacity, 1)
		                            : LZ4_compress_HC_extStateHC(context, (const char *)in, (char *)out, (int)length, (int)capacity, level);
		return size <= 0 ? length : (size_t)size;
	}
#ifdef HAVE_LIBDEFLATE
	if (strcmp(codec, "gzip") == 0) {
		const size_t size = libdeflate_zlib_compress(context, in, length, out, capacity);
		return size == 0 ? length : size;
	}
#elif defined(HAVE_ZLIB)
	if (strcmp(codec, "gzip") == 0) {
		z_stream *stream = context;
		deflateReset(stream);
		stream->next_in = (Bytef *)in;
		stream->avail_in = (uInt)length;
		stream->next_out = out;
		stream->avail_out = (uInt)capacity;
		return deflate(stream, Z_FINISH) == Z_STREAM_END ? stream->total_out : length;
	}
#endif
#ifdef HAVE_LIBLZMA
	if (strcmp(codec, "xz") == 0) {
		lzma_filter filters[] = {{LZMA_FILTER_LZMA2, context}, {LZMA_VLI_UNKNOWN, NULL}};
		size_t position = 0;
		const lzma_ret status =
		    lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, in, length, out, &position, capacity);
		return status == LZMA_OK ? position : length;
	}
#endif
	return length;
}

static void *decoder_for_codec(void) {
	if (strcmp(codec, "zstd") == 0) return ZSTD_createDCtx();
#ifdef HAVE_LIBDEFLATE
	if (strcmp(codec, "gzip") == 0) return libdeflate_alloc_decompressor();
#endif
	return &decodes;
}

/* Nothing but the time it takes is of interest, and that it comes out as it went in. */
static void decode_block(void *context, const uint8_t *in, size_t length, uint8_t *out, size_t expected) {
	size_t decoded = 0;
	if (strcmp(codec, "zstd") == 0) decoded = ZSTD_decompressDCtx(context, out, expected, in, length);
	if (strcmp(codec, "lz4") == 0)
		decoded = (size_t)LZ4_decompress_safe((const char *)in, (char *)out, (int)length, (int)expected);
#ifdef HAVE_LIBDEFLATE
	if (strcmp(codec, "gzip") == 0 &&
	    libdeflate_zlib_decompress(context, in, length, out, expected, &decoded) != LIBDEFLATE_SUCCESS)
		decoded = 0;
#elif defined(HAVE_ZLIB)
	if (strcmp(codec, "gzip") == 0) {
		uLongf size = expected;
		decoded = uncompress(out, &size, in, length) == Z_OK ? size : 0;
	}
#endif
#ifdef HAVE_LIBLZMA
	if (strcmp(codec, "xz") == 0) {
		uint64_t limit = UINT64_MAX;
		size_t at = 0;
		if (lzma_stream_buffer_decode(&limit, 0, NULL, in, &at, length, out, &decoded, expected) != LZMA_OK) decoded = 0;
	}
#endif
	if (decoded != expected) fail("a block does not decode");
}

static void *work(void *argument) {
	struct result *result = argument;
	void *context = context_for_codec();
	void *decoder = decoder_for_codec();
	uint8_t *in = malloc(block_bytes);
	uint8_t *out = malloc(block_bytes);
	if (context == NULL || decoder == NULL || in == NULL || out == NULL) fail("not enough memory");
	for (;;) {
		const size_t index = __atomic_fetch_add(&next_block, stride, __ATOMIC_RELAXED);
		if (index >= block_count) return NULL;
		uint32_t length;
		memcpy(&length, blocks + starts[index], 4);
		memcpy(in, blocks + starts[index] + 4, length);
		const double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
		const size_t size = compress_block(context, in, length, out);
		result->seconds += seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
		result->bytes_in += length;
		result->bytes_out += size;
		if (!decodes || size == length) continue;
		const double middle = seconds_of(CLOCK_THREAD_CPUTIME_ID);
		decode_block(decoder, out, size, in, length);
		result->decode_seconds += seconds_of(CLOCK_THREAD_CPUTIME_ID) - middle;
		result->bytes_decoded += length;
	}
}

/* Fills `starts`. */
static void find_blocks(size_t size) {
	for (int filling = 0; filling < 2; filling++) {
		size_t count = 0;
		for (size_t at = 0; at < size; count++) {
			uint32_t length;
			if (size - at < 4) fail("the blocks' file is damaged");
			memcpy(&length, blocks + at, 4);
			if (length > block_bytes || length > size - at - 4) fail("the blocks' file is damaged");
			if (filling) starts[count] = at;
			at += 4 + (size_t)length;
		}
		if (filling) break;
		block_count = count;
		starts = malloc(sizeof *starts * (count + 1));
		if (starts == NULL) fail("not enough memory");
	}
}

int main(int count, char **arguments) {
	if (count != 6 && count != 7) fail("usage: limit FILE CODEC LEVEL BLOCK_BYTES THREADS [STRIDE]");
	codec = arguments[2];
	level = atoi(arguments[3]);
	block_bytes = (size_t)atol(arguments[4]);
	const int threads = atoi(arguments[5]);
	if (count == 7) {
		decodes = 1;
		stride = (size_t)atol(arguments[6]);
		if (stride < 1) fail("STRIDE is 1 or more");
	}
	const int file = open(arguments[1], O_RDONLY);
	struct stat status;
	if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) fail("cannot read the blocks");
	const size_t size = (size_t)status.st_size;
	blocks = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
	struct result *results = calloc((size_t)threads, sizeof *results);
	pthread_t *handles = calloc((size_t)threads, sizeof *handles);
	if (blocks == MAP_FAILED || results == NULL || handles == NULL) fail("not enough memory");
	find_blocks(size);
	const double start = seconds_of(CLOCK_MONOTONIC);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&handles[i], NULL, work, &results[i]) != 0) fail("cannot start a thread");
	struct result total = {0};
	for (int i = 0; i < threads; i++) {
		pthread_join(handles[i], NULL);
		total.seconds += results[i].seconds;
		total.bytes_in += results[i].bytes_in;
		total.bytes_out += results[i].bytes_out;
		total.decode_seconds += results[i].decode_seconds;
		total.bytes_decoded += results[i].bytes_decoded;
	}
	const double wall = seconds_of(CLOCK_MONOTONIC) - start;
	printf("%.3f %.3f %zu %llu %llu %.4f %llu\n", total.seconds, wall, (block_count + stride - 1) / stride,
	       (unsigned long long)total.bytes_in, (unsigned long long)total.bytes_out, total.decode_seconds,
	       (unsigned long long)total.bytes_decoded);
	return 0;
}
