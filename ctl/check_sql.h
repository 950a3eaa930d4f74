/*
 * The statements of the broker, those of the configuration in place of the shipped ones, prepared
 * and described in a database as the broker will do it. Nothing is executed.
 */
#ifndef CTL_CHECK_SQL_H
#define CTL_CHECK_SQL_H

#include <libpq-fe.h>

#include "common/base/macros.h"
#include "common/conf/conf.h"
#include "ctl/outcome.h"

/*
 * Says what is wrong with which setting, and where in it. CTL_OK, CTL_CONFIG
 * when a statement is wrong, CTL_REFUSED when the schema is too old, CTL_UNAVAILABLE. Rights are
 * looked at too, those of the role that the connection has.
 */
MUST_CHECK int check_statements(const struct conf *conf, PGconn *db, struct outcome *o);

#endif
