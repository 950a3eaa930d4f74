/*
 * What an error of PostgreSQL asks of us. Pure.
 */
#ifndef BROKER_STORE_PG_ERROR_H
#define BROKER_STORE_PG_ERROR_H

#define PG_ERROR_TEXT 256

enum pg_class {
	PG_FINE,  /* no error */
	PG_LOST,  /* the server is away, full, broken or read-only: connect anew, nothing is lost */
	PG_AGAIN, /* somebody was in the way: the same may work later */
	PG_CONFIG, /* statement, schema or rights are wrong: for the operator */
	PG_DATA,   /* a value was refused: for the caller */
};

struct pg_error {
	enum pg_class class;
	char sqlstate[6];
	int query;		  /* which statement of the batch, from 0 */
	char text[PG_ERROR_TEXT]; /* first line of the server's message */
};

/*
 * By class of the SQLSTATE: 08, 53, 57P, 58, XX, 25006 lost; 40, 55P03, 57014 again; 22, 23 data;
 * 42, 0A and whatever else configuration. NULL, as libpq's own errors have it, is 08006.
 */
enum pg_class pg_classify(const char *sqlstate);

/* Fills in all but `query`; the text is cut at the first line end. */
void pg_error_set(struct pg_error *e, const char *sqlstate, const char *text);

#endif
