/* Any text as a configuration; what is accepted must survive its own dump. */
#include "common/base/mem.h"
#include "common/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *c = conf_new();
	struct conf *again = conf_new();
	struct conf_fault fault;
	struct buf dump;

	buf_init(&dump, 1 << 20);
	if (conf_parse(c, slice_of(data, size), "fuzz", &fault)) {
		bool whole = conf_check(c, &fault);

		if (conf_dump(c, &dump) && (!conf_parse(again, buf_slice(&dump), "dump", &fault) ||
					    conf_check(again, &fault) != whole))
			die("%s", fault.text);
	}
	buf_done(&dump);
	conf_free(c);
	conf_free(again);
	return 0;
}
