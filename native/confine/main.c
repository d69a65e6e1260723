/*
 * oci2iso_confine --mode=namespaces|landlock|limits --root=DIR --directory=DIR [--writable GUEST HOST]... [--no-truncate]
 *     --wall-seconds=N --cpu-seconds=N --address-space-bytes=N --file-bytes=N -- PROGRAM ARGS...
 *
 * namespaces  DIR is all the program sees, read-only but for the writable files, which appear at their GUEST paths.
 * landlock    the program may read and execute only what is below DIR, and write only the writable HOST files; other paths do not exist for it, unless
 *             DIR is "/".
 * limits      resource and time limits, no confinement.
 * The first two also forbid sockets, new processes and every system call that a program working on files does not need.
 *
 * Standard input, output and error are passed on; everything else is closed. How the run ended goes to descriptor 3 as one line:
 *   exited STATUS | killed SIGNAL-NUMBER | timed-out | cannot-confine REASON | cannot-execute REASON
 * and the exit status is the program's, 128 + the signal, 124 (time), 125 (cannot confine, nothing ran) or 126 (cannot execute).
 */
#define _GNU_SOURCE
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_TIMED_OUT = 124, EXIT_CANNOT_CONFINE = 125, EXIT_CANNOT_EXECUTE = 126 };
enum { OUTCOME_FD = 3, NOBODY = 65534 };

int report_fd = OUTCOME_FD;
static int child_report_fd = -1;
/* Between the launcher and the process that becomes the program, where the launcher is asked about paths. */
static int paths_socket[2] = { -1, -1 };

void report_to_parent(void)
{
	report_fd = child_report_fd;
}

static _Noreturn void report_and_exit(const char *kind, const char *message, int error, int status)
{
	char line[512];
	int length = snprintf(line, sizeof line, "%s %s%s%s\n", kind, message, error ? ": " : "", error ? strerror(error) : "");
	if (length >= (int)sizeof line) length = sizeof line - 1;
	if (write(report_fd, line, (size_t)length) < 0) _exit(status);
	_exit(status);
}

void cannot_confine(const char *message, int error)
{
	report_and_exit("cannot-confine", message, error, EXIT_CANNOT_CONFINE);
}

void cannot_execute(const char *message, int error)
{
	report_and_exit("cannot-execute", message, error, EXIT_CANNOT_EXECUTE);
}

static uint64_t parse_number(const char *text)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end) cannot_execute("a limit is not a number", 0);
	return value;
}

static const char *value_of(const char *argument, const char *name)
{
	size_t length = strlen(name);
	return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static struct options parse_options(char **argv)
{
	struct options options = { .may_truncate = true };
	bool have_mode = false;
	const char *value;
	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
		if ((value = value_of(*argv, "--mode"))) {
			have_mode = true;
			if (strcmp(value, "namespaces") == 0) options.mode = MODE_NAMESPACES;
			else if (strcmp(value, "landlock") == 0) options.mode = MODE_LANDLOCK;
			else if (strcmp(value, "limits") == 0) options.mode = MODE_LIMITS;
			else cannot_execute("unknown mode", 0);
		} else if ((value = value_of(*argv, "--root"))) options.root = value;
		else if ((value = value_of(*argv, "--directory"))) options.directory = value;
		else if ((value = value_of(*argv, "--wall-seconds"))) options.wall_seconds = parse_number(value);
		else if ((value = value_of(*argv, "--cpu-seconds"))) options.cpu_seconds = parse_number(value);
		else if ((value = value_of(*argv, "--address-space-bytes"))) options.address_space_bytes = parse_number(value);
		else if ((value = value_of(*argv, "--file-bytes"))) options.file_bytes = parse_number(value);
		else if (strcmp(*argv, "--no-truncate") == 0) options.may_truncate = false;
		else if (strcmp(*argv, "--writable") == 0 && argv[1] && argv[2] && options.writable_count < MAX_WRITABLE) {
			options.writable[options.writable_count++] = (struct writable_file){ argv[1], argv[2] };
			argv += 2;
		} else cannot_execute("unknown argument", 0);
	}
	if (options.mode == MODE_LANDLOCK && options.root && options.directory && strcmp(options.root, "/") != 0 &&
			strcmp(options.root, options.directory) != 0)
		cannot_execute("the directory is not the root", 0);
	if (!*argv || !argv[1] || !have_mode || !options.root || !options.directory || !options.wall_seconds ||
			!options.cpu_seconds || !options.address_space_bytes || !options.file_bytes)
		cannot_execute("an argument is missing", 0);
	options.command = argv + 1;
	return options;
}

struct identity choose_identity(const struct options *options)
{
	struct stat status;
	if (geteuid() != 0) return (struct identity){ .uid = geteuid(), .gid = getegid() };
	if (options->writable_count == 0 || stat(options->writable[0].host, &status) != 0)
		return (struct identity){ .change = true, .uid = NOBODY, .gid = NOBODY };
	return (struct identity){ .change = true, .uid = status.st_uid, .gid = status.st_gid };
}

static _Noreturn void become_program(const struct options *options, const struct identity *identity, pid_t parent)
{
	static char *const no_environment[] = { NULL };
	struct landlock_rules rules;
	if (options->mode == MODE_LANDLOCK) landlock_prepare(options, &rules);
	if (options->mode != MODE_NAMESPACES && chdir(options->directory) != 0)
		cannot_execute("cannot enter the directory", errno);
	drop_privileges(identity);
	/* The death signal does not come where the parent died before it was asked for. */
	if (getppid() != parent) _exit(EXIT_CANNOT_CONFINE);
	set_limits(options);
	if (options->mode == MODE_LANDLOCK) landlock_restrict(options, &rules);
	if (paths_socket[1] >= 0) paths_watch(paths_socket[1]);
	close_descriptors();
	if (options->mode != MODE_LIMITS) seccomp_restrict(options);
	execve(options->command[0], options->command, no_environment);
	cannot_execute(options->command[0], errno);
}

static pid_t start_program(const struct options *options, const struct identity *identity)
{
	pid_t parent = getpid();
	pid_t child = fork();
	if (child < 0) cannot_confine("cannot fork", errno);
	if (child > 0) return child;
	report_to_parent();
	if (setpgid(0, 0) != 0) cannot_confine("cannot make a process group", errno);
	become_program(options, identity, parent);
}

/* Process 1 of the namespaces: waits for the program, passes on how it ended, and takes everything with it. */
static void run_init(const struct options *options, const struct identity *identity)
{
	pid_t program = start_program(options, identity);
	int status;
	while (waitpid(program, &status, 0) < 0)
		if (errno != EINTR) _exit(EXIT_CANNOT_CONFINE);
	char line[64];
	int length = WIFEXITED(status) ? snprintf(line, sizeof line, "exited %d\n", WEXITSTATUS(status))
				       : snprintf(line, sizeof line, "killed %d\n", WTERMSIG(status));
	if (write(report_fd, line, (size_t)length) != length) _exit(EXIT_CANNOT_CONFINE);
	_exit(0);
}

/* Waits for `child` as long as it may run, and answers its questions; false when time is up. SIGCHLD is blocked. */
static bool wait_for(pid_t child, const struct options *options, int listener, int *status)
{
	struct timespec now, deadline;
	struct signalfd_siginfo signal_info;
	sigset_t child_signal;
	sigemptyset(&child_signal);
	sigaddset(&child_signal, SIGCHLD);
	struct pollfd events[] = { { signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK), POLLIN, 0 }, { listener, POLLIN, 0 } };
	if (events[0].fd < 0) cannot_confine("cannot wait for the program", errno);
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)options->wall_seconds;
	for (;;) {
		pid_t done = waitpid(child, status, WNOHANG);
		if (done == child) return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		struct timespec left = { deadline.tv_sec - now.tv_sec, deadline.tv_nsec - now.tv_nsec };
		if (left.tv_nsec < 0) {
			left.tv_sec--;
			left.tv_nsec += 1000000000;
		}
		if (left.tv_sec < 0) return false;
		if (ppoll(events, 2, &left, NULL) <= 0) continue;
		if (events[0].revents != 0 && read(events[0].fd, &signal_info, sizeof signal_info) < 0 && errno != EAGAIN) return false;
		if ((events[1].revents & POLLIN) != 0) paths_answer(options, listener);
		else if (events[1].revents != 0) events[1].fd = -1;
	}
}

static void outcome(const char *line, size_t length)
{
	if (write(OUTCOME_FD, line, length) < 0) _exit(EXIT_CANNOT_CONFINE);
}

/* What the program's side reported: the first line is the cause, whatever came after. */
static int finish(int report, int status)
{
	char line[512];
	ssize_t length = read(report, line, sizeof line - 1);
	if (length <= 0) length = WIFEXITED(status) ? snprintf(line, sizeof line, "exited %d\n", WEXITSTATUS(status))
						    : snprintf(line, sizeof line, "killed %d\n", WTERMSIG(status));
	line[length] = '\0';
	char *end = strchr(line, '\n');
	outcome(line, end ? (size_t)(end - line + 1) : (size_t)length);
	if (strncmp(line, "exited ", 7) == 0) return atoi(line + 7);
	if (strncmp(line, "killed ", 7) == 0) return 128 + atoi(line + 7);
	return strncmp(line, "cannot-execute", 14) == 0 ? EXIT_CANNOT_EXECUTE : EXIT_CANNOT_CONFINE;
}

int main(int argc, char **argv)
{
	(void)argc;
	if (fcntl(OUTCOME_FD, F_GETFD) < 0) {
		fputs("oci2iso_confine: started without descriptor 3\n", stderr);
		return EXIT_CANNOT_CONFINE;
	}
	fcntl(OUTCOME_FD, F_SETFD, FD_CLOEXEC);
	const struct options options = parse_options(argv);
	const struct identity identity = choose_identity(&options);

	/* A terminal of ours is not the program's; nothing survives whoever started us. */
	setsid();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) cannot_confine("cannot set the death signal", errno);
	sigset_t child_signal;
	sigemptyset(&child_signal);
	sigaddset(&child_signal, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &child_signal, NULL);

	int report[2];
	if (pipe2(report, O_CLOEXEC) != 0) cannot_confine("cannot make a pipe", errno);
	child_report_fd = report[1];
	if (options.mode == MODE_LANDLOCK && strcmp(options.root, "/") != 0 &&
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, paths_socket) != 0)
		cannot_confine("cannot make a socket", errno);
	pid_t child = options.mode == MODE_NAMESPACES ? start_in_namespaces(&options, run_init, &identity)
						      : start_program(&options, &identity);
	close(report[1]);
	int listener = -1;
	if (paths_socket[1] >= 0) {
		close(paths_socket[1]);
		listener = paths_receive(paths_socket[0]);
		/* Only a process of the same user, without more rights, may look at the paths in its memory. */
		drop_privileges(&identity);
	}

	int status = 0;
	bool done = wait_for(child, &options, listener, &status);
	/* The program's group or, with process 1, its namespace: no process is left. */
	kill(options.mode == MODE_NAMESPACES ? child : -child, SIGKILL);
	if (done) return finish(report[0], status);
	waitpid(child, &status, 0);
	outcome("timed-out\n", 10);
	return EXIT_TIMED_OUT;
}
