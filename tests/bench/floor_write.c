/* Floors of writing: many sockets, receivers that read and throw away, nothing else. */
#include "tests/bench/floor.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/mem.h"

#define READ_BUFFER (256U << 10)
#define EVENTS 256

/* What writer and receivers share. */
struct meter {
	uint64_t read;	 /* bytes, by all receivers */
	uint64_t wanted; /* the writer wants to be woken at so many */
};

struct writer {
	const struct floor_options *o;
	struct meter *meter;
	int wake; /* eventfd */
	int *sockets;
	uint32_t n;
	pid_t *receivers;
	char *frame;
	uint64_t written;
	uint64_t frames;
};

static void need(bool ok, const char *what)
{
	if (!ok)
		die("%s: %s", what, strerror(errno));
}

static double cpu_now(void)
{
	struct timespec t;

	need(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0, "clock_gettime()");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- receivers ---- */

static int listen_any(struct sockaddr_in *ret)
{
	socklen_t n = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	need(fd >= 0 && bind(fd, (const struct sockaddr *)ret, n) == 0 && listen(fd, 4096) == 0 &&
		     getsockname(fd, (struct sockaddr *)ret, &n) == 0,
	     "listen()");
	return fd;
}

static void receive(const struct writer *w, int epoll, char *buffer)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, -1);
	uint64_t before;
	uint64_t sum = 0;
	uint64_t one = 1;

	for (int i = 0; i < n; i++) {
		ssize_t r = recv(events[i].data.fd, buffer, READ_BUFFER, MSG_DONTWAIT);

		if (r == 0)
			_exit(0);
		sum += r > 0 ? (uint64_t)r : 0;
	}
	before = __atomic_fetch_add(&w->meter->read, sum, __ATOMIC_SEQ_CST);
	if (before < __atomic_load_n(&w->meter->wanted, __ATOMIC_SEQ_CST) &&
	    before + sum >= __atomic_load_n(&w->meter->wanted, __ATOMIC_SEQ_CST))
		need(write(w->wake, &one, sizeof(one)) == sizeof(one), "eventfd");
}

static void run_receiver(const struct writer *w, const struct sockaddr_in *to, uint32_t count)
{
	char *buffer = mem_alloc(READ_BUFFER);
	int epoll = epoll_create1(0);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

		need(fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 &&
			     epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == 0,
		     "connect()");
	}
	for (;;)
		receive(w, epoll, buffer);
}

static void open_sockets(struct writer *w)
{
	static const int on = 1;
	struct sockaddr_in to;
	int listener = listen_any(&to);

	for (uint32_t i = 0; i < w->o->receivers; i++) {
		uint32_t count = w->o->connections / w->o->receivers +
				 (i < w->o->connections % w->o->receivers);

		w->receivers[i] = fork();
		need(w->receivers[i] >= 0, "fork()");
		if (w->receivers[i] == 0)
			run_receiver(w, &to, count);
	}
	while (w->n < w->o->connections) {
		int fd = accept(listener, NULL, NULL);

		need(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
		     "accept()");
		w->sockets[w->n++] = fd;
	}
	(void)close(listener);
}

/* ---- writing ---- */

/* All that was written has been read. */
static void await(struct writer *w)
{
	uint64_t value;

	__atomic_store_n(&w->meter->wanted, w->written, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&w->meter->read, __ATOMIC_SEQ_CST) >= w->written)
		return; /* the wake-up, if there was one, is taken with the next one */
	while (__atomic_load_n(&w->meter->read, __ATOMIC_SEQ_CST) < w->written)
		need(read(w->wake, &value, sizeof(value)) == sizeof(value), "eventfd");
}

static void send_one(struct writer *w, int fd)
{
	need(send(fd, w->frame, w->o->size, MSG_NOSIGNAL) == (ssize_t)w->o->size, "send()");
	w->written += w->o->size;
	w->frames++;
}

static void send_many(struct writer *w, int fd, uint32_t frames, size_t more)
{
	struct iovec vec[IOV_MAX];
	struct msghdr m = {.msg_iov = vec};
	size_t bytes = (size_t)frames * w->o->size + more;

	for (uint32_t i = 0; i < frames && m.msg_iovlen + 1 < IOV_MAX; i++)
		vec[m.msg_iovlen++] = (struct iovec){w->frame, w->o->size};
	if (more > 0)
		vec[m.msg_iovlen++] = (struct iovec){w->frame, more};
	need(sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)bytes, "sendmsg()");
	w->written += bytes;
	w->frames += frames + (more > 0);
}

static void burst_send(struct writer *w)
{
	for (uint32_t e = 0; e < w->o->burst; e++) {
		for (uint32_t i = 0; i < w->n; i++)
			send_one(w, w->sockets[i]);
	}
}

static void burst_writev(struct writer *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		send_many(w, w->sockets[i], w->o->burst, 0);
}

static void pause_until(usec_t at)
{
	struct timespec ts = {
		.tv_sec = (time_t)(at / USEC_PER_SEC),
		.tv_nsec = (long)(at % USEC_PER_SEC * 1000),
	};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL); /* earlier does no harm */
}

/* ---- a run ---- */

static void open_writer(struct writer *w, const struct floor_options *o, size_t most)
{
	*w = (struct writer){.o = o};
	w->meter = mmap(NULL, sizeof(*w->meter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	need(w->meter != MAP_FAILED, "mmap()");
	w->wake = eventfd(0, 0);
	w->sockets = mem_calloc(o->connections, sizeof(*w->sockets));
	w->receivers = mem_calloc(o->receivers, sizeof(*w->receivers));
	w->frame = mem_zalloc(most);
	open_sockets(w);
}

static void close_writer(struct writer *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		(void)close(w->sockets[i]);
	for (uint32_t i = 0; i < w->o->receivers; i++)
		(void)waitpid(w->receivers[i], NULL, 0);
	free(w->sockets);
	free(w->receivers);
	free(w->frame);
}

static int report(const char *what, const struct writer *w, double cpu, double seconds)
{
	(void)printf("{\"floor\":\"%s\",\"connections\":%u,\"burst\":%u,\"size\":%u,"
		     "\"frames\":%llu,\"bytes\":%llu,\"cpu\":%.6f,\"seconds\":%.6f,"
		     "\"per_cpu_second\":%.1f}\n",
		     what, w->n, w->o->burst, w->o->size, (unsigned long long)w->frames,
		     (unsigned long long)w->written, cpu, seconds, (double)w->frames / cpu);
	return 0;
}

static int run_bursts(const struct floor_options *o, const char *what,
		      void (*burst)(struct writer *w))
{
	struct writer w;
	usec_t begun;
	usec_t next;
	double cpu;

	open_writer(&w, o, o->size);
	burst(&w); /* warm */
	await(&w);
	w.frames = 0;
	begun = next = clock_mono();
	cpu = cpu_now();
	while (clock_mono() - begun < (usec_t)(o->seconds * USEC_PER_SEC)) {
		burst(&w);
		if (o->rate > 0) {
			next += (usec_t)(USEC_PER_SEC / o->rate);
			pause_until(next);
		} else {
			await(&w);
		}
	}
	cpu = cpu_now() - cpu;
	report(what, &w, cpu, (double)(clock_mono() - begun) / USEC_PER_SEC);
	close_writer(&w);
	return 0;
}

int floor_send(const struct floor_options *o)
{
	return run_bursts(o, "send", burst_send);
}

int floor_writev(const struct floor_options *o)
{
	return run_bursts(o, "writev", burst_writev);
}

int floor_members(const struct floor_options *o)
{
	struct writer w;
	usec_t begun;
	double cpu;

	open_writer(&w, o, MAX(o->size, o->connections * o->member));
	begun = clock_mono();
	cpu = cpu_now();
	for (uint32_t first = 0; first < w.n; first += o->burst) {
		uint32_t behind = MIN(first + o->burst, w.n);

		for (uint32_t i = 0; i < first; i++)
			send_many(&w, w.sockets[i], behind - first, 0);
		for (uint32_t i = first; i < behind; i++)
			send_many(&w, w.sockets[i], behind - i - 1, (size_t)(i + 1) * o->member);
		await(&w);
	}
	cpu = cpu_now() - cpu;
	report("members", &w, cpu, (double)(clock_mono() - begun) / USEC_PER_SEC);
	close_writer(&w);
	return 0;
}
