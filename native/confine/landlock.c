/* Landlock (Documentation/userspace-api/landlock.rst), without the header: it is often older than the kernel. */
#define _GNU_SOURCE
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define RULESET_VERSION 1U
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_TRUNCATE (UINT64_C(1) << 14)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* since ABI 4 */
	uint64_t scoped;             /* since ABI 6 */
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

/* Everything that the ABI knows: rights 0-12, then one more each (refer, truncate, device ioctl). */
static uint64_t handled_fs(int abi)
{
	int rights = 13;
	if (abi >= 2) rights++;
	if (abi >= 3) rights++;
	if (abi >= 5) rights++;
	return (UINT64_C(1) << rights) - 1;
}

void landlock_prepare(const struct options *options, struct landlock_rules *rules)
{
	rules->abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
	if (rules->abi < 1) cannot_confine("this kernel has no Landlock", errno);
	rules->root_fd = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rules->root_fd < 0) cannot_execute("cannot open the root", errno);
	for (size_t i = 0; i < options->writable_count; i++) {
		rules->writable_fds[i] = open(options->writable[i].host, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		if (rules->writable_fds[i] < 0) cannot_execute("cannot open a writable file", errno);
	}
}

static void allow(int ruleset, int fd, uint64_t access)
{
	struct path_beneath_attr attr = { .allowed_access = access, .parent_fd = fd };
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) != 0)
		cannot_confine("cannot add a Landlock rule", errno);
}

void landlock_restrict(const struct options *options, const struct landlock_rules *rules)
{
	const uint64_t handled = handled_fs(rules->abi);
	struct ruleset_attr attr = {
		.handled_access_fs = handled,
		.handled_access_net = rules->abi >= 4 ? 3 : 0, /* bind and connect TCP */
		.scoped = rules->abi >= 6 ? 3 : 0,             /* abstract sockets and signals */
	};
	size_t size = rules->abi >= 6 ? sizeof attr : rules->abi >= 4 ? 16 : 8;
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0) cannot_confine("cannot make a Landlock ruleset", errno);
	allow(ruleset, rules->root_fd, FS_EXECUTE | FS_READ_FILE | FS_READ_DIR);
	uint64_t write = FS_READ_FILE | FS_WRITE_FILE | (options->may_truncate ? FS_TRUNCATE & handled : 0);
	for (size_t i = 0; i < options->writable_count; i++) allow(ruleset, rules->writable_fds[i], write);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) cannot_confine("cannot enforce Landlock", errno);
}
