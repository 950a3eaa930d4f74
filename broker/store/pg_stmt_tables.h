/*
 * The texts behind pg_stmt.h, by number of the statement; numbers that another table has are empty
 * here. Inner header of pg_stmt*.c.
 */
#ifndef BROKER_STORE_PG_STMT_TABLES_H
#define BROKER_STORE_PG_STMT_TABLES_H

#include "broker/store/pg_stmt.h"

extern const struct pg_stmt pg_stmts_mirror[PG_POST_MESSAGES]; /* control and mirror */
extern const struct pg_stmt pg_stmts_writes[PG_FIND_TOKEN];
extern const struct pg_stmt pg_stmts_reads[PG_OUTBOX_LOCK];
extern const struct pg_stmt pg_stmts_outbox[PG_STMTS];

#endif
