/*
 * The system calls of a single-threaded program that works on files it may open. Everything else, known today or not, is "not implemented",
 * which C libraries take as a reason to do without: sockets, processes, namespaces, mounts, ptrace, keys, BPF, io_uring, changes of mode or owner ...
 */
#define _GNU_SOURCE
#include "confine.h"

#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef NATIVE_ARCH

void seccomp_restrict(const struct options *options)
{
	(void)options;
	cannot_confine("no system call filter for this architecture", 0);
}

#else

/* x32 calls come under the x86-64 architecture, with this bit in the number. */
#define X32_BIT 0x40000000U

static const int allowed[] = {
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_close, SYS_lseek, SYS_fsync, SYS_fdatasync,
	SYS_dup, SYS_dup3, SYS_statx, SYS_faccessat, SYS_readlinkat,
	SYS_getdents64, SYS_getcwd, SYS_fadvise64, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk,
	SYS_exit, SYS_exit_group, SYS_execve, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
	SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getrandom, SYS_uname, SYS_sysinfo,
	SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday, SYS_nanosleep, SYS_clock_nanosleep, SYS_times, SYS_getrusage,
	SYS_set_tid_address, SYS_set_robust_list, SYS_futex, SYS_sched_yield, SYS_umask,
#ifdef SYS_newfstatat
	SYS_fstat, SYS_newfstatat,
#endif
#ifdef SYS_faccessat2
	SYS_faccessat2,
#endif
#ifdef SYS_rseq
	SYS_rseq,
#endif
#ifdef SYS_arch_prctl
	SYS_arch_prctl,
#endif
#ifdef SYS_stat
	SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_time, SYS_dup2,
#endif
#ifdef SYS_getrlimit
	SYS_getrlimit,
#endif
#ifdef SYS_riscv_flush_icache
	SYS_riscv_flush_icache,
#endif
};

/* Access mode 3 opens without asking for reading or writing, which old Landlock versions let pass. */
static void allow_open(struct filter *filter, uint32_t number, int flags_argument, bool may_truncate)
{
	uint32_t denied = O_TMPFILE & ~O_DIRECTORY;
	if (!may_truncate) denied |= O_TRUNC;
	APPEND(filter,
		SKIP_UNLESS_EQUAL(number, 7),
		LOAD_LOW(flags_argument),
		SKIP_UNLESS_ANY(denied, 1),
		DENY(EPERM),
		MASK(O_ACCMODE),
		SKIP_UNLESS_EQUAL(O_ACCMODE, 1),
		DENY(EPERM),
		ALLOW);
}

/* Signals to itself only: abort() needs them. */
static void allow_own_signal(struct filter *filter, uint32_t number, uint32_t pid)
{
	APPEND(filter, SKIP_UNLESS_EQUAL(number, 4), LOAD_LOW(0), SKIP_UNLESS_EQUAL(pid, 1), ALLOW, DENY(EPERM));
}

static void allow_checked(struct filter *filter, const struct options *options)
{
	const uint32_t pid = (uint32_t)getpid();
	allow_open(filter, SYS_openat, 2, options->may_truncate);
#ifdef SYS_open
	allow_open(filter, SYS_open, 1, options->may_truncate);
#endif
	/* Who its parent is, is the host's business: 0 is what a process without one in its namespace sees. */
	APPEND(filter, SKIP_UNLESS_EQUAL(SYS_getppid, 1), DENY(0));
	allow_own_signal(filter, SYS_kill, pid);
	allow_own_signal(filter, SYS_tkill, pid);
	allow_own_signal(filter, SYS_tgkill, pid);
	/* A shared mapping would be written past the file size limit. */
	APPEND(filter, SKIP_UNLESS_EQUAL(SYS_mmap, 4), LOAD_LOW(3), SKIP_UNLESS_ANY(MAP_SHARED, 1), DENY(EPERM), ALLOW);
	/* Reading its own limits. */
	APPEND(filter, SKIP_UNLESS_EQUAL(SYS_prlimit64, 8), LOAD_LOW(2), SKIP_UNLESS_EQUAL(0, 5), LOAD_HIGH(2),
		SKIP_UNLESS_EQUAL(0, 3), LOAD_LOW(0), SKIP_UNLESS_EQUAL(0, 1), ALLOW, DENY(EPERM));
	/* Not F_SETOWN and the like, which send signals. */
	APPEND(filter, SKIP_UNLESS_EQUAL(SYS_fcntl, 8), LOAD_LOW(1), SKIP_IF_EQUAL(F_DUPFD, 5), SKIP_IF_EQUAL(F_GETFD, 4),
		SKIP_IF_EQUAL(F_SETFD, 3), SKIP_IF_EQUAL(F_GETFL, 2), SKIP_IF_EQUAL(F_DUPFD_CLOEXEC, 1), DENY(EPERM), ALLOW);
	/* How many processors it may use itself. */
	APPEND(filter, SKIP_UNLESS_EQUAL(SYS_sched_getaffinity, 4), LOAD_LOW(0), SKIP_UNLESS_EQUAL(0, 1), ALLOW, DENY(EPERM));
	/* isatty() */
	APPEND(filter, SKIP_UNLESS_EQUAL(SYS_ioctl, 1), DENY(ENOTTY));
}

void seccomp_restrict(const struct options *options)
{
	static struct filter filter;
	APPEND(&filter, LOAD(arch), SKIP_IF_EQUAL(NATIVE_ARCH, 1), RETURN(SECCOMP_RET_KILL_PROCESS), LOAD(nr));
#ifdef __x86_64__
	APPEND(&filter, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS));
#endif
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		APPEND(&filter, SKIP_UNLESS_EQUAL((uint32_t)allowed[i], 1), ALLOW);
	allow_checked(&filter, options);
	APPEND(&filter, DENY(ENOSYS));
	struct sock_fprog program = { .len = filter.length, .filter = filter.code };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
		cannot_confine("cannot install the system call filter", errno);
}

#endif
