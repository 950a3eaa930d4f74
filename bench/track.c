#include "bench/track.h"

#define RECENT 64U

enum track_result track_take(struct track *t, uint32_t number)
{
	uint32_t back;
	uint32_t step;

	if (number >= t->next) {
		step = number - t->next + 1;
		t->recent = (step < RECENT ? t->recent << step : 0) | 1;
		t->next = number + 1;
		return step == 1 ? TRACK_NEXT : TRACK_AHEAD;
	}
	back = t->next - 1 - number;
	if (back >= RECENT || (t->recent >> back & 1) != 0)
		return TRACK_TWICE;
	t->recent |= 1ULL << back;
	return TRACK_LATE;
}
