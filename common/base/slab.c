#include "common/base/slab.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <sanitizer/asan_interface.h> /* of the compiler; nothing without its sanitizer */

#include "common/base/mem.h"

#define BLOCK ((size_t)128 << 10)
#define ALIGN sizeof(max_align_t)

/* In front of its rows. */
struct slab_block {
	size_t size; /* all of it */
	size_t used;
	size_t rows; /* that live */
};

/* In front of each row. */
struct slab_head {
	_Alignas(max_align_t) struct slab_block *block;
	size_t size;
};

static size_t rounded(size_t size)
{
	return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static const size_t first = (sizeof(struct slab_block) + ALIGN - 1) / ALIGN * ALIGN;

static struct slab_block *block_new(size_t need)
{
	size_t size = MAX(BLOCK, first + need);
	struct slab_block *b =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		die("out of memory mapping %zu bytes", size);
	*b = (struct slab_block){.size = size, .used = first};
	ASAN_POISON_MEMORY_REGION((char *)b + first, size - first);
	return b;
}

static void block_free(struct slab_block *b)
{
	ASAN_UNPOISON_MEMORY_REGION(b, b->size);
	(void)munmap(b, b->size); /* cannot fail for what mmap() gave */
}

void *slab_zalloc(struct slab *s, size_t size)
{
	size_t need = sizeof(struct slab_head) + rounded(size);
	struct slab_block *b = s->block;
	struct slab_head *head;

	if (size > SIZE_MAX / 2)
		die("allocation of %zu bytes overflows", size);
	if (b == NULL || need > b->size - b->used)
		b = s->block = block_new(need);
	head = (struct slab_head *)(void *)((char *)b + b->used);
	ASAN_UNPOISON_MEMORY_REGION(head, sizeof(*head) + size);
	*head = (struct slab_head){b, size};
	b->used += need;
	b->rows++;
	return memset(head + 1, 0, size);
}

void slab_free(struct slab *s, void *p)
{
	const struct slab_head *head;
	struct slab_block *b;

	if (p == NULL)
		return;
	head = (const struct slab_head *)p - 1;
	b = head->block;
	ASAN_POISON_MEMORY_REGION(head, sizeof(*head) + head->size);
	if (--b->rows > 0)
		return;
	if (b == s->block)
		s->block = NULL;
	block_free(b);
}

void slab_done(const struct slab *s)
{
	if (s->block != NULL)
		die("%zu rows of a slab are still in use", s->block->rows);
}
