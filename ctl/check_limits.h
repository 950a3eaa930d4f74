/* What the configuration asks of this machine and of the database server, and they do not give. */
#ifndef CTL_CHECK_LIMITS_H
#define CTL_CHECK_LIMITS_H

#include <libpq-fe.h>

#include "common/base/macros.h"
#include "common/conf/conf.h"
#include "ctl/outcome.h"

/*
 * Descriptors, backlogs, ports and addresses of the listeners. `is_running`: a broker of this
 * configuration answers, so ports in use are its own. CTL_OK or CTL_CONFIG.
 */
MUST_CHECK int check_machine(const struct conf *conf, bool is_running, struct outcome *o);

/* Connections that the server has left for a broker, and the role may have. CTL_OK or why not. */
MUST_CHECK int check_server(PGconn *db, struct outcome *o);

#endif
