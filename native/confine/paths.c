/*
 * Landlock decides what may be opened, not what may be named: stat(2), access(2) and readlink(2) answer for any path. So the kernel asks the launcher about each
 * call that takes one (seccomp_unotify(2)), which answers "no such file" for what lies outside the root. The program waits meanwhile and is alone: it has no threads, no
 * processes and no shared memory (seccomp.c), so that the path which was looked at is the one that the kernel goes on with. A signal in between withdraws the
 * question, and the call is asked about again.
 */
#define _GNU_SOURCE
#include "filter.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_PATH_BYTES = 4096, PAGE_BYTES = 4096 };

#ifndef NATIVE_ARCH

void paths_watch(int socket)
{
	(void)socket;
	cannot_confine("no system call filter for this architecture", 0);
}

#else

/* The header is often older than the kernel. */
#define NEW_LISTENER (1UL << 3)
#define ASK 0x7fc00000U
#define GO_ON 1U

struct question {
	uint64_t id;
	uint32_t pid;
	uint32_t flags;
	struct seccomp_data data;
};

struct answer {
	uint64_t id;
	int64_t value;
	int32_t error;
	uint32_t flags;
};

#define RECEIVE _IOWR('!', 0, struct question)
#define SEND _IOWR('!', 1, struct answer)

static const struct { int number; int path_argument; } calls[] = {
	{ SYS_openat, 1 }, { SYS_statx, 1 }, { SYS_faccessat, 1 }, { SYS_readlinkat, 1 }, { SYS_execve, 0 },
#ifdef SYS_newfstatat
	{ SYS_newfstatat, 1 },
#endif
#ifdef SYS_faccessat2
	{ SYS_faccessat2, 1 },
#endif
#ifdef SYS_open
	{ SYS_open, 0 },
#endif
#ifdef SYS_stat
	{ SYS_stat, 0 }, { SYS_lstat, 0 }, { SYS_access, 0 }, { SYS_readlink, 0 },
#endif
};

static void send_descriptor(int socket, int fd)
{
	char byte = 0;
	struct iovec data = { &byte, 1 };
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	if (sendmsg(socket, &message, 0) != 1) cannot_confine("cannot hand over the questions about paths", errno);
}

void paths_watch(int socket)
{
	static struct filter filter;
	APPEND(&filter, LOAD(arch), SKIP_IF_EQUAL(NATIVE_ARCH, 1), ALLOW, LOAD(nr));
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		APPEND(&filter, SKIP_UNLESS_EQUAL((uint32_t)calls[i].number, 1), RETURN(ASK));
	APPEND(&filter, ALLOW);
	struct sock_fprog program = { .len = filter.length, .filter = filter.code };
	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, NEW_LISTENER, &program);
	if (listener < 0) cannot_confine("cannot be asked about paths", errno);
	send_descriptor(socket, (int)listener);
}

/* 0, or the error that the program gets. */
static int read_path(pid_t pid, uint64_t address, char *path)
{
	/* A part that cannot be read is left out as a whole, and a path may end just before such a page. */
	size_t first = PAGE_BYTES - address % PAGE_BYTES;
	struct iovec local = { path, MAX_PATH_BYTES };
	struct iovec remote[] = { { (void *)(uintptr_t)address, first }, { (void *)(uintptr_t)(address + first), MAX_PATH_BYTES - first } };
	ssize_t length = process_vm_readv(pid, &local, 1, remote, first < MAX_PATH_BYTES ? 2 : 1, 0);
	if (length <= 0) return EFAULT;
	if (memchr(path, 0, (size_t)length)) return 0;
	return length < MAX_PATH_BYTES ? EFAULT : ENAMETOOLONG;
}

static bool goes_up(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at += 2)
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0')) return true;
	return false;
}

/* The root holds no links, and relative paths begin in it or in a directory that was opened there. */
static bool is_inside(const struct options *options, const char *path)
{
	size_t length = strlen(options->root);
	if (path[0] != '/') return !goes_up(path);
	for (size_t i = 0; i < options->writable_count; i++)
		if (strcmp(path, options->writable[i].host) == 0) return true;
	return strncmp(path, options->root, length) == 0 && (path[length] == '/' || path[length] == '\0') && !goes_up(path + length);
}

void paths_answer(const struct options *options, int listener)
{
	static bool has_started;
	struct question question;
	memset(&question, 0, sizeof question);
	if (ioctl(listener, RECEIVE, &question) != 0) return;
	struct answer answer = { .id = question.id, .flags = GO_ON };
	if (question.data.nr == SYS_execve && !has_started) has_started = true; /* the program itself, by the launcher */
	else {
		char path[MAX_PATH_BYTES];
		uint64_t address = 0;
		for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
			if (calls[i].number == question.data.nr) address = question.data.args[calls[i].path_argument];
		int error = read_path((pid_t)question.pid, address, path);
		if (error == 0 && !is_inside(options, path)) error = ENOENT;
		if (error != 0) {
			answer.flags = 0;
			answer.error = -error;
		}
	}
	/* Fails where the question was withdrawn. */
	ioctl(listener, SEND, &answer);
}

#endif

int paths_receive(int socket)
{
	char byte;
	struct iovec data = { &byte, 1 };
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control;
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	ssize_t received;
	do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	struct cmsghdr *header = received == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	int fd = -1;
	if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}
