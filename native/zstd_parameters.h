#pragma once

/*
 * Parameters that replace a level's own where we have measured better ones.
 * Whoever changes them also changes ZSTD_PARAMETERS_REVISION: the encoder's name has it, and with that the key of every cached block.
 */

#define ZSTD_STATIC_LINKING_ONLY
#include <stddef.h>
#include <zstd.h>

#define ZSTD_PARAMETERS_REVISION "2"

/* Whether the matches for blocks of at most `max_block_bytes` at `level` are found by our MatchFinder instead of zstd's. */
static inline int WantsMatchFinder(int level, size_t max_block_bytes) {
	return level == 6 && max_block_bytes == (size_t)1 << 20;
}

/*
 * Sets what `context` needs for blocks of at most `max_block_bytes` at `level`.
 *
 * 15, 128 KiB: 12 % less processor time for 0.1 % fewer bytes than level 15's own binary tree of 2^18 nodes searched 2^6 deep (8 %, 0.5 % on Debian's base system).
 * 6, 1 MiB: a third less processor time for 0.5 % fewer bytes than level 6's own search. Its tables are not used and made as small as they can be.
 */
static inline void SetZstdParameters(ZSTD_CCtx *context, int level, size_t max_block_bytes) {
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
	if (level == 15 && max_block_bytes == (size_t)1 << 17) {
		ZSTD_CCtx_setParameter(context, ZSTD_c_strategy, ZSTD_btultra);
		ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, 17);
		ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 16);
		ZSTD_CCtx_setParameter(context, ZSTD_c_searchLog, 3);
		ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 3);
		ZSTD_CCtx_setParameter(context, ZSTD_c_targetLength, 20);
	}
	if (WantsMatchFinder(level, max_block_bytes)) {
		ZSTD_CCtx_setParameter(context, ZSTD_c_strategy, ZSTD_lazy);
		ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, ZSTD_HASHLOG_MIN);
		ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, ZSTD_CHAINLOG_MIN);
		ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 4);
		ZSTD_CCtx_setParameter(context, ZSTD_c_useRowMatchFinder, ZSTD_ps_disable);
		ZSTD_CCtx_setParameter(context, ZSTD_c_searchForExternalRepcodes, ZSTD_ps_enable);
	}
}
