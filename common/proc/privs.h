/*
 * Becoming an ordinary user. A daemon that root started needs a user to become and does so before
 * it touches input; it proves that there is no way back.
 */
#ifndef COMMON_PROC_PRIVS_H
#define COMMON_PROC_PRIVS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/macros.h"

bool privs_are_root(void);

/*
 * Becomes `user` with that user's groups, and sets no_new_privs. Not root: does only the latter and
 * succeeds whatever the name. Root without a name: -EPERM. Unknown name: -ENOENT.
 */
MUST_CHECK int privs_drop(const char *user);

/* Ids of a user by name, for the ownership of files made before the drop; -ENOENT when unknown. */
MUST_CHECK int privs_lookup(const char *user, unsigned int *ret_uid, unsigned int *ret_gid);

/* Neither core files nor ptrace: the process holds secrets. */
void privs_no_dump(void);

#endif
