/*
 * The connection string: what the operator wrote, the password beside it, and what the broker
 * itself asks of a session.
 */
#ifndef BROKER_STORE_PG_CONNINFO_H
#define BROKER_STORE_PG_CONNINFO_H

#include <stddef.h>

#include <libpq-fe.h>

#include "common/base/macros.h"

/* -EINVAL, with the text, when the conninfo cannot be read or names a password. */
MUST_CHECK int pg_conninfo_check(const char *conninfo, char *err_fault, size_t size);

/*
 * PQconnectStartParams() with a conninfo that has passed the check. `settings`, "-c name=value
 * ...", yield to those of the operator. A password file is read anew; NULL and the text when that
 * fails. The result is the caller's, who still has to look at its status.
 */
MUST_CHECK PGconn *pg_conninfo_start(const char *conninfo, const char *password_file,
				     const char *application_name, const char *settings,
				     char *err_fault, size_t size);

#endif
