/* Runs one program of an untrusted image with nothing but its own files in reach. See main.c for the command line. */
#ifndef OCI2ISO_CONFINE_H
#define OCI2ISO_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum confine_mode { MODE_NAMESPACES, MODE_LANDLOCK, MODE_LIMITS };

#define MAX_WRITABLE 8

/* A host file that the program may write; `guest` is its place below the root, relative. */
struct writable_file {
	const char *guest;
	const char *host;
};

struct options {
	enum confine_mode mode;
	const char *root;
	const char *directory;
	struct writable_file writable[MAX_WRITABLE];
	size_t writable_count;
	bool may_truncate;
	uint64_t wall_seconds;
	uint64_t cpu_seconds;
	uint64_t address_space_bytes;
	uint64_t file_bytes;
	char **command;
};

/* Who the program runs as: the caller, or for root the owner of the first writable file. */
struct identity {
	bool change;
	uid_t uid;
	gid_t gid;
};

/* Where this process reports what went wrong; close-on-exec. A child's report goes to its parent, which passes it on. */
extern int report_fd;
void report_to_parent(void);

/* Report one line "KIND: MESSAGE: errno text" (no errno text when `error` is 0) and exit. */
_Noreturn void cannot_confine(const char *message, int error);
_Noreturn void cannot_execute(const char *message, int error);

struct identity choose_identity(const struct options *options);

/* limits.c, in this order, in the process that becomes the program. */
void set_limits(const struct options *options);
void drop_privileges(const struct identity *identity);
void close_descriptors(void);

/* landlock.c: opens the rules' files while privileges last, then restricts. */
struct landlock_rules {
	int abi;
	int root_fd;
	int writable_fds[MAX_WRITABLE];
};
void landlock_prepare(const struct options *options, struct landlock_rules *rules);
void landlock_restrict(const struct options *options, const struct landlock_rules *rules);

/*
 * paths.c: in the process that becomes the program, has the launcher asked about every path, and hands the questions over `socket`; the launcher gets them
 * (-1: the other process has ended) and answers one at a time.
 */
void paths_watch(int socket);
int paths_receive(int socket);
void paths_answer(const struct options *options, int listener);

/* seccomp.c */
void seccomp_restrict(const struct options *options);

/* namespaces.c: starts `inside` as process 1 of new namespaces with the root in place. Returns its pid outside. */
pid_t start_in_namespaces(const struct options *options, void (*inside)(const struct options *, const struct identity *),
		const struct identity *identity);

#endif
