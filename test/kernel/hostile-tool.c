/* A tool of an image that means harm. Tries to get out in every way at once, says on standard error which ways led somewhere, then ends as it was
   compiled to: TOOL_END_FAIL, TOOL_END_NEVER (until it is stopped), TOOL_END_SUCCESS (its output spoilt as far as it can). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECRET
#define SECRET "/etc/passwd"
#endif

static char done[2000];

static void note(const char *what, int worked)
{
	if (worked && strlen(done) + strlen(what) + 2 < sizeof done) strcat(strcat(done, " "), what);
}

static int reads(const char *path)
{
	char buffer[64];
	int fd = open(path, O_RDONLY);
	int worked = fd >= 0 && read(fd, buffer, sizeof buffer) > 0;
	if (fd >= 0) close(fd);
	return worked;
}

static int forks(void)
{
	int made = 0;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (pid == 0) _exit(0);
		made += pid > 0;
	}
	while (wait(NULL) > 0);
	return made > 0;
}

static int lists(const char *path)
{
	DIR *directory = opendir(path);
	if (directory == NULL) return 0;
	closedir(directory);
	return 1;
}

/* The output is the last argument that names a file here that may be written. */
static int writes_beyond(int argc, char **argv)
{
	static char block[1 << 20];
	int worked = 0;
	signal(SIGXFSZ, SIG_IGN);
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_WRONLY);
		if (fd < 0) continue;
		for (int n = 0; n < 64; n++)
			if (pwrite(fd, block, sizeof block, (off_t)(16 + n) << 20) > 0) worked = 1;
		close(fd);
	}
	return worked;
}

int main(int argc, char **argv)
{
	note("read-secret", reads(SECRET));
	note("read-passwd", reads("/etc/passwd"));
	note("read-environment", reads("/proc/1/environ") || reads("/proc/self/environ"));
	note("list-home", lists("/home") || lists("/root"));
	note("write-outside", open(SECRET ".new", O_WRONLY | O_CREAT, 0600) >= 0);
	note("overwrite-secret", open(SECRET, O_WRONLY) >= 0);
	note("internet-socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
	note("unix-socket", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	note("processes", forks());
	note("host-program", reads("/bin/true"));
	note("signal-parent", kill(getppid(), 0) == 0 && getppid() > 1);
	note("write-beyond-quota", writes_beyond(argc, argv));
	fprintf(stderr, "ways out:%s.\n", done[0] == '\0' ? " none" : done);
	fflush(stderr);
#if defined(TOOL_END_NEVER)
	for (;;) signal(SIGTERM, SIG_IGN);
#elif defined(TOOL_END_SUCCESS)
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_WRONLY);
		if (fd < 0) continue;
		for (off_t at = 0; at < 60000; at += 100) (void)!pwrite(fd, "owned", 5, at);
		close(fd);
	}
	return 0;
#else
	return 1;
#endif
}
