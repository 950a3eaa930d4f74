/* Lists and trees: the BSD macros of libbsd (headers only); glibc's lack the _SAFE loops. */
#ifndef COMMON_BASE_LIST_H
#define COMMON_BASE_LIST_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

/*
 * Static analysers do not see that a loop which takes the first element off until there is none
 * takes another one each time. For their eyes only, what stands first is unknown at every look.
 */
#ifdef __clang_analyzer__
void *list_any(const void *first);
#undef LIST_FIRST
#undef LIST_EMPTY
#undef LIST_INIT
#undef LIST_INSERT_HEAD
#define LIST_FIRST(head) ((__typeof__((head)->lh_first))list_any((head)->lh_first))
#define LIST_EMPTY(head) (LIST_FIRST(head) == NULL)
#define LIST_INIT(head) ((head)->lh_first = NULL)
#define LIST_INSERT_HEAD(head, elm, field) \
	((elm)->field.le_next = (head)->lh_first, (head)->lh_first = (elm))
#undef TAILQ_FIRST
#undef TAILQ_EMPTY
#undef TAILQ_INIT
#undef TAILQ_INSERT_HEAD
#undef TAILQ_INSERT_TAIL
#undef TAILQ_REMOVE
#undef TAILQ_CONCAT
#define TAILQ_FIRST(head) ((__typeof__((head)->tqh_first))list_any((head)->tqh_first))
#define TAILQ_EMPTY(head) (TAILQ_FIRST(head) == NULL)
#define TAILQ_INIT(head) ((head)->tqh_first = NULL)
#define TAILQ_INSERT_HEAD(head, elm, field) \
	((elm)->field.tqe_next = (head)->tqh_first, (head)->tqh_first = (elm))
#define TAILQ_INSERT_TAIL(head, elm, field) \
	((elm)->field.tqe_next = NULL, (head)->tqh_first = (elm))
#define TAILQ_REMOVE(head, elm, field) ((head)->tqh_first = list_any(TAILQ_NEXT(elm, field)))
#define TAILQ_CONCAT(to, from, field) \
	((to)->tqh_first = list_any((from)->tqh_first), (from)->tqh_first = NULL)
#endif

#endif
