/*
 * The static files of [worker] web_root, read into memory once at start. A request names a row of a
 * table, never a path of the file system, so there is nothing to climb out of; a file that changes
 * later is served anew after a reload.
 *
 * Hidden files (".name"), links and anything that is no regular file are left out. Sizes, number
 * and depth are bounded; what exceeds them is logged and not served.
 */
#ifndef WORKER_API_FILES_H
#define WORKER_API_FILES_H

#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

struct api_call;
struct files;

#define FILES_MAX 4096
#define FILES_DEPTH 8
#define FILES_NAME_MAX 1024	  /* path below the root */
#define FILES_ONE_MAX (8U << 20)  /* bytes of one file */
#define FILES_ALL_MAX (64U << 20) /* bytes of all, in each worker */

struct file {
	struct slice body;
	struct slice type;
	const char *etag; /* with its quotes */
};

/* An empty or missing root gives an empty table. */
MALLOC_LIKE struct files *files_new(const char *root);
/* NULL is allowed. */
void files_free(struct files *f);

/* By the decoded path; "/a/" is "/a/index.html". NULL: there is none. */
const struct file *files_find(const struct files *f, struct slice path);
uint32_t files_count(const struct files *f);

/* Answers GET and HEAD of a file; 404 and 405 else. */
void files_serve(const struct files *f, const struct api_call *c);

#endif
