#include "broker/store/pg_error.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/macros.h"

static bool in_class(const char *sqlstate, const char *class)
{
	return strncmp(sqlstate, class, strlen(class)) == 0;
}

enum pg_class pg_classify(const char *sqlstate)
{
	static const struct {
		const char *prefix;
		enum pg_class class;
	} rules[] = {
		{"08", PG_LOST},     {"53", PG_LOST},	  {"57P", PG_LOST},   {"58", PG_LOST},
		{"XX", PG_LOST},     {"25006", PG_LOST},  {"25P03", PG_LOST}, {"40", PG_AGAIN},
		{"55P03", PG_AGAIN}, {"57014", PG_AGAIN}, {"22", PG_DATA},    {"23", PG_DATA},
	};

	if (sqlstate == NULL || sqlstate[0] == '\0')
		return PG_LOST;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (in_class(sqlstate, rules[i].prefix))
			return rules[i].class;
	return PG_CONFIG;
}

static void copy_line(char *to, size_t size, const char *from)
{
	size_t n = strcspn(from, "\r\n");

	if (n >= size)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
}

void pg_error_set(struct pg_error *e, const char *sqlstate, const char *text)
{
	e->class = pg_classify(sqlstate);
	copy_line(e->sqlstate, sizeof(e->sqlstate), sqlstate != NULL ? sqlstate : "08006");
	copy_line(e->text, sizeof(e->text), text != NULL ? text : "");
}
