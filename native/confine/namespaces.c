/* New user, mount, pid, net, ipc, uts and cgroup namespaces, with the root directory as the file system. */
#define _GNU_SOURCE
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) cannot_confine(path, errno);
	close(fd);
}

/* Every id we know as itself: root has to reach directories of other users while it sets the mounts up. */
static void identity_map(const char *own_map, char *text, size_t size)
{
	FILE *file = fopen(own_map, "re");
	unsigned long inside, outside, count;
	size_t used = 0;
	if (!file) cannot_confine(own_map, errno);
	while (used < size && fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3)
		used += (size_t)snprintf(text + used, size - used, "%lu %lu %lu\n", inside, inside, count);
	fclose(file);
	if (used == 0 || used >= size) cannot_confine("the id map is empty or too long", 0);
}

static void write_maps(pid_t child, const struct identity *identity)
{
	char path[64], map[4000];
	for (int group = 0; group <= 1; group++) {
		if (identity->change) identity_map(group ? "/proc/self/gid_map" : "/proc/self/uid_map", map, sizeof map);
		else {
			unsigned long id = group ? identity->gid : identity->uid;
			snprintf(map, sizeof map, "%lu %lu 1\n", id, id);
		}
		if (group && !identity->change) {
			snprintf(path, sizeof path, "/proc/%d/setgroups", (int)child);
			write_file(path, "deny");
		}
		snprintf(path, sizeof path, "/proc/%d/%cid_map", (int)child, group ? 'g' : 'u');
		write_file(path, map);
	}
}

/* A bind mount keeps what its origin forbids; inside a user namespace those flags must be named again. */
static void remount(const char *path, unsigned long add)
{
	struct statvfs status;
	if (statvfs(path, &status) != 0) cannot_confine("cannot read mount flags", errno);
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | add;
	if (status.f_flag & ST_RDONLY) flags |= MS_RDONLY;
	if (status.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
	if (mount(NULL, path, NULL, flags, NULL) != 0) cannot_confine("cannot restrict a mount", errno);
}

static void enter_root(const struct options *options)
{
	char target[4096];
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) cannot_confine("cannot make mounts private", errno);
	if (mount(options->root, options->root, NULL, MS_BIND, NULL) != 0) cannot_confine("cannot mount the root", errno);
	for (size_t i = 0; i < options->writable_count; i++) {
		const struct writable_file *file = &options->writable[i];
		if (snprintf(target, sizeof target, "%s/%s", options->root, file->guest) >= (int)sizeof target)
			cannot_execute("a path is too long", 0);
		if (mount(file->host, target, NULL, MS_BIND, NULL) != 0) cannot_confine("cannot mount a writable file", errno);
		remount(target, MS_NOEXEC);
	}
	remount(options->root, MS_RDONLY);
	if (chdir(options->root) != 0) cannot_confine("cannot enter the root", errno);
	/* Puts the old root on top of the new one, from where it is taken away. */
	if (syscall(SYS_pivot_root, ".", ".") != 0) cannot_confine("cannot change the root", errno);
	if (umount2(".", MNT_DETACH) != 0) cannot_confine("cannot leave the old root", errno);
	if (chdir("/") != 0) cannot_confine("cannot enter the new root", errno);
}

static bool parent_is_alive(int go)
{
	struct pollfd pipe = { .fd = go, .events = POLLIN };
	return poll(&pipe, 1, 0) == 0;
}

pid_t start_in_namespaces(const struct options *options, void (*inside)(const struct options *, const struct identity *),
		const struct identity *identity)
{
	int go[2];
	char byte;
	if (pipe2(go, O_CLOEXEC) != 0) cannot_confine("cannot make a pipe", errno);
	/* Like fork: no stack of its own. The argument order of the last three differs between architectures, but all are null. */
#if defined(__s390x__)
	long child = syscall(SYS_clone, NULL, NAMESPACES | SIGCHLD, NULL, NULL, NULL);
#else
	long child = syscall(SYS_clone, NAMESPACES | SIGCHLD, NULL, NULL, NULL, NULL);
#endif
	if (child < 0) cannot_confine("namespaces are not allowed here", errno);
	if (child > 0) {
		close(go[0]);
		write_maps((pid_t)child, identity);
		if (write(go[1], "", 1) != 1) cannot_confine("cannot continue in the namespaces", errno);
		/* go[1] stays open: its end tells the child that we are gone. */
		return (pid_t)child;
	}
	report_to_parent();
	close(go[1]);
	if (read(go[0], &byte, 1) != 1) _exit(1);
	if (identity->change && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0))
		cannot_confine("cannot become root in the namespace", errno);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) cannot_confine("cannot set the death signal", errno);
	if (!parent_is_alive(go[0])) _exit(1);
	if (sethostname("localhost", 9) != 0 || setdomainname("", 0) != 0) cannot_confine("cannot change the host name", errno);
	enter_root(options);
	inside(options, identity);
	_exit(1);
}
