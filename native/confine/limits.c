/* What holds in every mode: no privileges, bounded resources, no inherited descriptors. */
#define _GNU_SOURCE
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_OPEN_FILES = 64, LAST_POSSIBLE_CAPABILITY = 63 };

static void limit(int resource, uint64_t value)
{
	struct rlimit current;
	if (getrlimit(resource, &current) != 0) cannot_confine("cannot read a limit", errno);
	rlim_t wanted = value < current.rlim_max ? (rlim_t)value : current.rlim_max;
	struct rlimit both = { wanted, wanted };
	if (setrlimit(resource, &both) != 0) cannot_confine("cannot set a limit", errno);
}

void set_limits(const struct options *options)
{
	limit(RLIMIT_AS, options->address_space_bytes);
	limit(RLIMIT_CPU, options->cpu_seconds);
	limit(RLIMIT_FSIZE, options->file_bytes);
	limit(RLIMIT_NOFILE, MAX_OPEN_FILES);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_MSGQUEUE, 0);
	/* The confined modes forbid processes by system call; a limit would count the user's other processes too. */
	if (options->mode != MODE_LIMITS) limit(RLIMIT_NPROC, 1);
}

void drop_privileges(const struct identity *identity)
{
	/* These fail for an ordinary user, who has nothing to drop. */
	for (int capability = 0; capability <= LAST_POSSIBLE_CAPABILITY; capability++) prctl(PR_CAPBSET_DROP, capability);
	prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
			SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (identity->change) {
		if (setgroups(0, NULL) != 0 && errno != EPERM) cannot_confine("cannot drop groups", errno);
		/* EINVAL: root of a user namespace that has no other ids; then it stays what it is, without privileges. */
		if (setresgid(identity->gid, identity->gid, identity->gid) != 0 && errno != EINVAL)
			cannot_confine("cannot change the group", errno);
		if (setresuid(identity->uid, identity->uid, identity->uid) != 0 && errno != EINVAL)
			cannot_confine("cannot change the user", errno);
	}
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	if (syscall(SYS_capset, &header, none) != 0) cannot_confine("cannot drop capabilities", errno);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) cannot_confine("cannot forbid new privileges", errno);
	/* Only now: each change above clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) cannot_confine("cannot set the death signal", errno);
}

void close_descriptors(void)
{
	enum { REPORT = 3 };
	if (report_fd != REPORT) {
		if (dup3(report_fd, REPORT, O_CLOEXEC) != REPORT) cannot_confine("cannot keep the report descriptor", errno);
		report_fd = REPORT;
	}
#ifdef SYS_close_range
	if (syscall(SYS_close_range, REPORT + 1, ~0U, 0) == 0) return;
#endif
	long most = sysconf(_SC_OPEN_MAX);
	for (int fd = REPORT + 1; fd < (most > 0 && most < 65536 ? most : 65536); fd++) close(fd);
}
