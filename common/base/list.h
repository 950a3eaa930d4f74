/* Lists and trees: the BSD macros of libbsd (headers only), which have the _SAFE loops glibc lacks. */
#ifndef COMMON_BASE_LIST_H
#define COMMON_BASE_LIST_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#endif
