/* chat-bench: load for a server that speaks the Pusher protocol, measured from outside. */
#include <stdio.h>
#include <unistd.h>

#include "bench/options.h"
#include "bench/report.h"
#include "bench/run.h"

static void progress(const char *step, double done, double of, double rate)
{
	if (of > 0)
		(void)fprintf(stderr, "%s: %.0f of %.0f, %.0f a second\n", step, done, of, rate);
	else
		(void)fprintf(stderr, "%s: %.0f deliveries a second\n", step, rate);
}

static bool save(const struct options *o, const struct outcome *outcome)
{
	FILE *to = fopen(o->save, "w");

	if (to == NULL) {
		perror(o->save);
		return false;
	}
	report_json(to, &o->plan, &o->servers, outcome);
	return fclose(to) == 0;
}

int main(int argc, char **argv)
{
	static struct options o;
	static struct outcome outcome;

	if (!options_read(&o, argc, argv))
		return BENCH_USAGE;
	if (o.help) {
		options_usage();
		return BENCH_OK;
	}
	if (o.version) {
		(void)puts("chat-bench " CHAT_VERSION);
		return BENCH_OK;
	}
	run(&o.plan, &o.servers, o.quiet ? NULL : progress, &outcome);
	if (o.json)
		report_json(stdout, &o.plan, &o.servers, &outcome);
	else
		report_text(&o.plan, &o.servers, &outcome);
	if (fflush(stdout) != 0 || (o.save != NULL && !save(&o, &outcome)))
		return BENCH_FAILED;
	return report_is_good(&outcome) ? BENCH_OK : BENCH_FAILED;
}
