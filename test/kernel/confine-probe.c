/* One attempt to get out. Exit status 0: it worked. 1: it was refused. 2: the attempt makes no sense here. Prints what happened. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int result(const char *what, long value)
{
	int error = errno;
	printf("%s: %s\n", what, value < 0 ? strerror(error) : "done");
	return value < 0 ? 1 : 0;
}

static int fork_many(void)
{
	int made = 0;
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();
		if (pid == 0) _exit(0);
		if (pid > 0) made++;
	}
	while (wait(NULL) > 0);
	printf("%d processes made\n", made);
	return made > 0 ? 0 : 1;
}

static int odd_calls(void)
{
	static const struct { const char *name; long number; } calls[] = {
		{ "memfd_create", SYS_memfd_create }, { "keyctl", SYS_keyctl }, { "add_key", SYS_add_key }, { "bpf", SYS_bpf },
		{ "perf_event_open", SYS_perf_event_open }, { "userfaultfd", SYS_userfaultfd }, { "io_uring_setup", SYS_io_uring_setup },
		{ "kexec_load", SYS_kexec_load }, { "init_module", SYS_init_module }, { "ptrace", SYS_ptrace }, { "setns", SYS_setns },
		{ "clone3", SYS_clone3 }, { "shmget", SYS_shmget }, { "mq_open", SYS_mq_open }, { "pidfd_open", SYS_pidfd_open },
		{ "process_vm_writev", SYS_process_vm_writev }, { "open_by_handle_at", SYS_open_by_handle_at }, { "symlinkat", SYS_symlinkat },
		{ "openat2", SYS_openat2 }, { "fallocate", SYS_fallocate }, { "setpriority", SYS_setpriority },
	};
	int open_calls = 0;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (syscall(calls[i].number, 0, 0, 0, 0, 0) < 0 && errno == ENOSYS) continue;
		printf("%s reached the kernel\n", calls[i].name);
		open_calls++;
	}
	return open_calls > 0 ? 0 : 1;
}

static int shared_write(const char *path, long offset)
{
	int fd = open(path, O_RDWR);
	char *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (map == MAP_FAILED) return result("mmap", -1);
	map[0] = 'X';
	return result("mmap", 0);
}

static int capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	if (syscall(SYS_capget, &header, data) < 0) return result("capget", -1);
	unsigned all = data[0].effective | data[0].permitted | data[0].inheritable | data[1].effective | data[1].permitted;
	printf("capabilities %x\n", all);
	return all ? 0 : 1;
}

static int descriptors(void)
{
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			printf("descriptor %d is open\n", fd);
			return 0;
		}
	return 1;
}

static int foreign_call(void)
{
#if defined(__x86_64__)
	long pid;
	__asm__ volatile("int $0x80" : "=a"(pid) : "a"(20L) : "memory"); /* getpid of i386 */
	return result("int 0x80", pid);
#else
	return 2;
#endif
}

static int x32_call(void)
{
#if defined(__x86_64__)
	syscall(0x40000000L | 39);
	return result("x32", 0); /* ENOSYS from the kernel itself also means that no filter stopped it */
#else
	return 2;
#endif
}

/* Every call that says what a file is without opening it. */
static int stat_ways(const char *path)
{
	struct stat status;
	char words[256];
	int ways = 0;
	ways += stat(path, &status) == 0;
	ways += lstat(path, &status) == 0;
	ways += fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
	ways += fstatat(AT_FDCWD, path, &status, AT_EMPTY_PATH) == 0;
	ways += syscall(SYS_statx, AT_FDCWD, path, 0, 0x7ff, words) == 0;
#ifdef SYS_stat
	ways += syscall(SYS_stat, path, &status) == 0;
	ways += syscall(SYS_lstat, path, &status) == 0;
#endif
	printf("%s: %d ways\n", path, ways);
	return ways > 0 ? 0 : 1;
}

static int read_link(const char *path)
{
	char target[256];
	ssize_t length = readlink(path, target, sizeof target);
	if (length < 0) length = syscall(SYS_readlinkat, AT_FDCWD, path, target, sizeof target);
	return result(path, length);
}

static int statfs_ways(const char *path)
{
	struct statfs status;
	int fd = open(".", O_RDONLY);
	return result(path, statfs(path, &status) == 0 || fstatfs(fd, &status) == 0 ? 0 : -1);
}

/* A path that ends with the last byte before memory that cannot be read; then one that does not end before it. */
static int page_end(const char *path)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat status;
	size_t length = strlen(path) + 1;
	if (pages == MAP_FAILED || munmap(pages + 4096, 4096) != 0) return 2;
	memcpy(pages + 4096 - length, path, length);
	if (stat(pages + 4096 - length, &status) != 0) return result(path, -1);
	pages[4095] = 'x';
	if (stat(pages + 4096 - length, &status) == 0 || errno != EFAULT) return result("beyond the page", -1);
	if (stat(NULL, &status) == 0 || errno != EFAULT) return result("no address", -1);
	return 0;
}

int main(int argc, char **argv)
{
	const char *attempt = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";
	long number = argc > 3 ? atol(argv[3]) : atol(path);
	setvbuf(stdout, NULL, _IONBF, 0);
#define ATTEMPT(name) if (strcmp(attempt, name) == 0)
	ATTEMPT("read") return result(path, open(path, O_RDONLY));
	ATTEMPT("list") return result(path, opendir(path) ? 0 : -1);
	ATTEMPT("create") return result(path, open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	ATTEMPT("overwrite") return result(path, open(path, O_WRONLY));
	ATTEMPT("empty") return result(path, open(path, O_WRONLY | O_TRUNC));
	ATTEMPT("truncate") return result(path, truncate(path, 0));
	ATTEMPT("chmod") return result(path, chmod(path, 0777));
	ATTEMPT("unlink") return result(path, unlink(path));
	ATTEMPT("link") return result(path, symlink("target", path));
	ATTEMPT("stat") return stat_ways(path);
	ATTEMPT("access") return result(path, access(path, F_OK) == 0 ? 0 : syscall(SYS_faccessat2, AT_FDCWD, path, F_OK, AT_EACCESS));
	ATTEMPT("read-link") return read_link(path);
	ATTEMPT("statfs") return statfs_ways(path);
	ATTEMPT("open-path") {
		struct stat status;
		int fd = open(path, O_PATH | O_NOFOLLOW);
		return result(path, fd < 0 ? -1 : fstat(fd, &status));
	}
	ATTEMPT("present") {
		/* Anything but "no such file" says that it is there. */
		int absent = open(path, O_RDONLY) < 0 && errno == ENOENT;
		absent &= open(path, O_WRONLY) < 0 && errno == ENOENT;
		absent &= opendir(path) == NULL && errno == ENOENT;
		absent &= execl(path, path, (char *)NULL) < 0 && errno == ENOENT;
		return absent;
	}
	ATTEMPT("ask") for (struct stat status;;) stat(path, &status);
	ATTEMPT("from-directory") {
		int fd = open(".", O_RDONLY | O_DIRECTORY);
		struct stat status;
		return result(path, fstatat(fd, path, &status, 0));
	}
	ATTEMPT("page-end") return page_end(path);
	ATTEMPT("parent") return printf("parent %d\n", (int)getppid()) < 0 || getppid() == 0;
	ATTEMPT("facts") {
		struct utsname names;
		uname(&names);
		return printf("host %s kernel %s process %d\n", names.nodename, names.release, (int)getpid()) < 0;
	}
	ATTEMPT("odd-open") return result(path, open(path, O_ACCMODE));
	ATTEMPT("execute") return result(path, execl(path, path, (char *)NULL));
	ATTEMPT("socket-inet") return result(attempt, socket(AF_INET, SOCK_STREAM, 0));
	ATTEMPT("socket-unix") return result(attempt, socket(AF_UNIX, SOCK_STREAM, 0));
	ATTEMPT("socket-netlink") return result(attempt, socket(AF_NETLINK, SOCK_RAW, 0));
	ATTEMPT("fork") return fork_many();
	ATTEMPT("ptrace") return result(attempt, ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	ATTEMPT("unshare") return result(attempt, unshare(CLONE_NEWUSER));
	ATTEMPT("mount") return result(attempt, unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? -1 : mount("none", ".", "tmpfs", 0, NULL));
	ATTEMPT("signal-parent") return result(attempt, kill(getppid(), 0));
	ATTEMPT("signal") return result(attempt, kill((pid_t)number, 0));
	ATTEMPT("signal-all") return result(attempt, kill(-1, 0));
	ATTEMPT("odd-calls") return odd_calls();
	ATTEMPT("shared-write") return shared_write(path, number);
	ATTEMPT("write-at") return result(path, pwrite(open(path, O_WRONLY), "X", 1, number));
	ATTEMPT("identity") return printf("uid %d gid %d\n", (int)getuid(), (int)getgid()) < 0;
	ATTEMPT("capabilities") return capabilities();
	ATTEMPT("descriptors") return descriptors();
	ATTEMPT("environment") return environ && environ[0] ? 0 : 1;
	ATTEMPT("foreign-call") return foreign_call();
	ATTEMPT("x32-call") return x32_call();
	ATTEMPT("memory") return result(attempt, mmap(NULL, 2UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
	ATTEMPT("spin") for (volatile unsigned long i = 0;; i++);
	ATTEMPT("sleep") {
		puts("sleeping");
		for (;;) sleep(1000);
	}
	ATTEMPT("write") return result(path, pwrite(open(path, O_WRONLY | O_TRUNC), "made", 4, 0));
	ATTEMPT("abort") abort();
	ATTEMPT("flood") for (;;) puts("a line of no interest, again and again");
	return 2;
}
