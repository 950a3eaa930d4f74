#include "common/base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 5000

/* Each row keeps its bytes while others come and go in between. */
static void test_rows_do_not_touch(void **state)
{
	static unsigned char *rows[ROWS];
	struct slab s = {0};

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		/* All at first, then those that were freed. */
		for (size_t i = round == 0 ? 0 : 1; i < ROWS; i += round == 0 ? 1 : 2) {
			rows[i] = slab_zalloc(&s, i % 300);
			assert_int_equal((uintptr_t)rows[i] % _Alignof(max_align_t), 0);
			for (size_t k = 0; k < i % 300; k++)
				assert_int_equal(rows[i][k], 0);
			memset(rows[i], (int)(i % 251), i % 300);
		}
		for (size_t i = 0; i < ROWS; i++) {
			for (size_t k = 0; k < i % 300; k++)
				assert_int_equal(rows[i][k], i % 251);
		}
		for (size_t i = 1; i < ROWS; i += 2)
			slab_free(&s, rows[i]);
	}
	for (size_t i = 0; i < ROWS; i += 2)
		slab_free(&s, rows[i]);
	slab_free(&s, NULL);
	slab_done(&s);
}

/* In pages. */
static size_t mapped(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	char line[100];

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	(void)fclose(f);
	return strtoul(line, NULL, 10);
}

static void test_blocks_go_back(void **state)
{
	struct slab s = {0};
	void *large = slab_zalloc(&s, 8 << 20);
	void *small = slab_zalloc(&s, 8);
	size_t before = mapped();

	(void)state;
	memset(large, 1, 8 << 20);
	slab_free(&s, large);
	assert_true(mapped() + (8 << 20) / 65536 <= before);
	slab_free(&s, small);
	slab_done(&s);
	slab_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_do_not_touch),
		cmocka_unit_test(test_blocks_go_back),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
