/* First steps of a forked child. */
#ifndef COMMON_PROC_CHILD_H
#define COMMON_PROC_CHILD_H

#include "common/base/macros.h"

/*
 * Asks the kernel for SIGTERM when the parent ends, and looks whether it has ended already: between
 * the fork and this call nobody would have told us. `parent` is the parent's id from before the
 * fork. 0, -ESRCH when it is gone, or -errno.
 */
MUST_CHECK int child_follow(int parent);

/* Default action for every signal and an empty mask, as after exec. */
void child_reset_signals(void);

#endif
