/* What the files of the static files share. Nobody else includes this. */
#ifndef WORKER_API_FILES_INTERNAL_H
#define WORKER_API_FILES_INTERNAL_H

#include "common/base/map.h"
#include "worker/api/files.h"

#define FILES_ETAG 34 /* 32 hex digits in quotes */

struct file_row {
	struct file file;
	UT_hash_handle hh;
	char etag[FILES_ETAG + 1];
	char *path; /* "/assets/app.js", owned */
	char *body; /* owned */
};

struct files {
	struct file_row *rows; /* by path */
	size_t bytes;
	uint32_t count;
};

#endif
