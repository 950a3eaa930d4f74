/* The commands of chatctl. Each gives an exit status and has written what there is to say. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "common/base/macros.h"
#include "ctl/args.h"

/*
 * Exit statuses, as chatctl(8) documents them. Those from 64 on are the ones of sysexits.h.
 */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1,      /* the state of things does not allow it, or nothing was found */
	CTL_USAGE = 64,	      /* EX_USAGE: wrong command line */
	CTL_UNAVAILABLE = 69, /* EX_UNAVAILABLE: database or broker out of reach */
	CTL_IO = 74,	      /* EX_IOERR: the output could not be written */
	CTL_CONFIG = 78,      /* EX_CONFIG: the configuration is wrong */
};

MUST_CHECK int command_app_create(const struct args *args);
MUST_CHECK int command_app_list(const struct args *args);
MUST_CHECK int command_migrate(const struct args *args);
MUST_CHECK int command_user_add(const struct args *args);
MUST_CHECK int command_user_set(const struct args *args);
MUST_CHECK int command_user_remove(const struct args *args);
MUST_CHECK int command_user_list(const struct args *args);
MUST_CHECK int command_token_create(const struct args *args);
MUST_CHECK int command_token_list(const struct args *args);
MUST_CHECK int command_token_revoke(const struct args *args);
MUST_CHECK int command_chat_create(const struct args *args);
MUST_CHECK int command_chat_add_user(const struct args *args);
MUST_CHECK int command_chat_remove_user(const struct args *args);
MUST_CHECK int command_chat_list(const struct args *args);
MUST_CHECK int command_cleanup(const struct args *args);
MUST_CHECK int command_status(const struct args *args);
MUST_CHECK int command_reload(const struct args *args);
MUST_CHECK int command_drain(const struct args *args);
MUST_CHECK int command_setup(const struct args *args);
MUST_CHECK int command_serve(const struct args *args);
MUST_CHECK int command_dump_config(const struct args *args);
MUST_CHECK int command_export_env(const struct args *args);
MUST_CHECK int command_import_env(const struct args *args);
MUST_CHECK int command_check(const struct args *args);

#endif
