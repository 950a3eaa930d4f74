/* Limits of the kernel that a server wants raised. */
#ifndef COMMON_PROC_RLIMIT_H
#define COMMON_PROC_RLIMIT_H

#include <stdint.h>

#include "common/base/macros.h"

/* Raises the soft limit of open files to the hard one. 0 or -errno; *ret_limit is what holds now.
 */
MUST_CHECK int rlimit_raise_files(uint64_t *ret_limit);

#endif
