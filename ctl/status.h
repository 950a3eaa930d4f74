/* Whether a broker runs. */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include <stdbool.h>

#include "common/conf/conf.h"

/* Somebody listens on the admin socket of this configuration. */
bool status_answers(const struct conf *conf);

#endif
