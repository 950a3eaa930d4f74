/* Lists and trees: the BSD macros of libbsd (headers only); glibc's lack the _SAFE loops. */
#ifndef COMMON_BASE_LIST_H
#define COMMON_BASE_LIST_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#endif
