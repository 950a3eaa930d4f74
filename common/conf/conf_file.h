/*
 * Reads a configuration from the outside: the main file, the directories it includes, the extra
 * files of the command line, the environment, and the files that hold secrets.
 *
 *	struct conf_source source = {.file = CONF_FILE, .environ = environ, .secrets = true};
 *	struct conf *conf;
 *	if (!conf_load(&source, &conf, &fault)) { ... exit 78 (EX_CONFIG) ... }
 */
#ifndef COMMON_CONF_CONF_FILE_H
#define COMMON_CONF_CONF_FILE_H

#include "common/conf/conf.h"

#define CONF_FILE "/etc/chat/chat.conf"
#define CONF_PRESET_DIR "/usr/share/chat-server/sql/presets"

struct conf_source {
	const char *file;	 /* must exist, unless it is CONF_FILE and `optional` is set */
	bool optional;		 /* a missing main file means defaults */
	const char *const *more; /* files read last, in order */
	size_t nmore;
	char *const *env; /* NULL: the environment is not looked at */
	bool secrets;	  /* read secret_file of the applications (the broker; workers may not) */
};

/*
 * The whole way: defaults, the file of [chat] preset, file, *.conf of included directories in order
 * of name, extra files, environment, secret files. Not conf_check(): the caller may still have
 * options to apply. The preset `chat` has no file: its statements are those of the program.
 * The result belongs to the caller. False: *err_fault says which file and why.
 */
MUST_CHECK bool conf_load(const struct conf_source *source, struct conf **ret_conf,
			  struct conf_fault *err_fault);

/*
 * The first line of a file that holds a secret, without its line end, as a string for the caller to
 * erase and free. A name without '/' is looked for in $CREDENTIALS_DIRECTORY (systemd). 0, -errno,
 * or -EINVAL for an empty or overlong file.
 */
MUST_CHECK int conf_secret(const char *path, char **ret_secret);

#endif
