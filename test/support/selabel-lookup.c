/* Usage: selabel-lookup FILE_CONTEXTS < RECORDS: for each record, the octal type of an inode and its path with a space between and a NUL behind, the context and a newline. */
#include <selinux/label.h>
#include <selinux/selinux.h>
#include <stdio.h>
#include <stdlib.h>

static int quiet(int type, const char *format, ...)
{
	(void)type;
	(void)format;
	return 0;
}

int main(int argc, char **argv)
{
	struct selinux_opt options[] = {{SELABEL_OPT_PATH, argv[1]}};
	struct selabel_handle *handle;
	char *record = NULL;
	size_t capacity = 0;

	if (argc != 2)
		return 2;
	selinux_set_callback(SELINUX_CB_LOG, (union selinux_callback){.func_log = quiet});
	handle = selabel_open(SELABEL_CTX_FILE, options, 1);
	if (handle == NULL)
		return 1;
	while (getdelim(&record, &capacity, 0, stdin) > 0) {
		char *path;
		int mode = (int)strtol(record, &path, 8);
		char *context = NULL;
		if (selabel_lookup_raw(handle, &context, path + 1, mode) == 0) {
			puts(context);
			freecon(context);
		} else {
			puts("-");
		}
	}
	return 0;
}
