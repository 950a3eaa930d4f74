/*
 * Runs a fuzz harness over the files of its corpus, so that every build and every compiler repeats
 * what the fuzzer once found: replay DIR...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		return 1;
	}
	size_t n = fread(data, 1, sizeof(data), f);
	int failed = ferror(f) != 0;

	(void)fclose(f);
	uint8_t *copy = malloc(n > 0 ? n : 1); /* of exactly this size, for the sanitizer */

	if (copy == NULL)
		return 1;
	memcpy(copy, data, n);
	if (!failed)
		(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return failed;
}

int main(int argc, char **argv)
{
	int status = 0;
	int files = 0;

	for (int i = 1; i < argc; i++) {
		struct dirent **entries = NULL;
		int n = scandir(argv[i], &entries, NULL, alphasort);

		for (int k = 0; k < n; k++) {
			char path[4096];

			if (entries[k]->d_name[0] != '.' &&
			    snprintf(path, sizeof(path), "%s/%s", argv[i], entries[k]->d_name) <
				    (int)sizeof(path)) {
				status |= replay_file(path);
				files++;
			}
			free(entries[k]);
		}
		free(entries);
	}
	if (files == 0) {
		fputs("no corpus\n", stderr);
		return 1;
	}
	return status;
}
