#include "judge.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *server, *proxy;

static int made, failed;
static jmp_buf leave;
static char reason[1024];

void check(const char *name, void (*body)(void)) {
	made++;
	if (setjmp(leave) == 0) {
		body();
		printf("ok %s\n", name);
	} else {
		failed++;
		printf("FAIL %s %s\n", name, reason);
	}
	fflush(stdout);
}

void fail(const char *file, int line, const char *format, ...) {
	va_list args;
	va_start(args, format);
	int n = vsnprintf(reason, sizeof reason - 64, format, args);
	va_end(args);
	if (n > (int)sizeof reason - 65) n = (int)sizeof reason - 65;
	snprintf(reason + n, sizeof reason - n, " (%s:%d)", file, line);
	longjmp(leave, 1);
}

void control(const char *verb) {
	char answer[64];
	printf("control %s\n", verb);
	fflush(stdout);
	WANT(fgets(answer, sizeof answer, stdin) != NULL, "the harness is gone");
	answer[strcspn(answer, "\n")] = 0;
	WANT(strcmp(answer, verb) == 0, "the harness answered %s", answer);
}

struct event {
	int type, state;
	char path[256];
	struct event *next;
};

/* The library's thread appends, the checks' thread takes. A queue lives as long as the program: an event may always
   come late. */
struct events {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct event *first, **last;
};

struct events *new_events(void) {
	struct events *e = calloc(1, sizeof *e);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->more, NULL);
	e->last = &e->first;
	return e;
}

void watch(zhandle_t *zh, int type, int state, const char *path, void *events) {
	struct events *e = events;
	(void)zh;
	struct event *event = calloc(1, sizeof *event);
	event->type = type;
	event->state = state;
	snprintf(event->path, sizeof event->path, "%s", path ? path : "");
	pthread_mutex_lock(&e->lock);
	*e->last = event;
	e->last = &event->next;
	pthread_cond_signal(&e->more);
	pthread_mutex_unlock(&e->lock);
}

static bool take(struct events *e, struct event *out) {
	struct timespec limit;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += WAIT_S;
	pthread_mutex_lock(&e->lock);
	int rc = 0;
	while (!e->first && rc == 0) rc = pthread_cond_timedwait(&e->more, &e->lock, &limit);
	struct event *event = e->first;
	if (event) {
		*out = *event;
		e->first = event->next;
		if (!e->first) e->last = &e->first;
		free(event);
	}
	pthread_mutex_unlock(&e->lock);
	return event != NULL;
}

void expect(struct events *events, int type, const char *path) {
	struct event got;
	WANT(take(events, &got), "no event, want %d %s", type, path);
	WANT(got.type == type && strcmp(got.path, path) == 0, "event %d %s, want %d %s", got.type, got.path, type, path);
	WANT(got.state == ZOO_CONNECTED_STATE, "state %d in the event", got.state);
}

void quiet(struct events *events) {
	pthread_mutex_lock(&events->lock);
	struct event *event = events->first;
	pthread_mutex_unlock(&events->lock);
	WANT(!event, "an event that should not be: %d %s", event->type, event->path);
}

void await_state(struct events *events, int state) {
	struct event got;
	do {
		WANT(take(events, &got), "no state %d", state);
	} while (got.type != ZOO_SESSION_EVENT || got.state != state);
}

struct client connect_to(const char *address, int timeout_ms) {
	struct client c = {.session = new_events()};
	c.zh = zookeeper_init(address, watch, timeout_ms, NULL, c.session, 0);
	WANT(c.zh, "zookeeper_init failed");
	await_state(c.session, ZOO_CONNECTED_STATE);
	return c;
}

void disconnect(struct client *c) {
	OK(zookeeper_close(c->zh));
	c->zh = NULL;
}

void node(zhandle_t *zh, const char *path, const char *value, int flags) {
	OK(zoo_create(zh, path, value, value ? (int)strlen(value) : -1, &ZOO_OPEN_ACL_UNSAFE, flags, NULL, 0));
}

struct Stat stat_of(zhandle_t *zh, const char *path) {
	struct Stat stat;
	OK(zoo_exists(zh, path, 0, &stat));
	return stat;
}

bool same_stat(const struct Stat *a, const struct Stat *b) {
	return a->czxid == b->czxid && a->mzxid == b->mzxid && a->ctime == b->ctime && a->mtime == b->mtime &&
		a->version == b->version && a->cversion == b->cversion && a->aversion == b->aversion &&
		a->ephemeralOwner == b->ephemeralOwner && a->dataLength == b->dataLength &&
		a->numChildren == b->numChildren && a->pzxid == b->pzxid;
}

int main(void) {
	server = getenv("QUOLL_SERVER");
	proxy = getenv("QUOLL_PROXY");
	zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
	nodes();
	multis();
	watches();
	identities();
	sessions();
	survival();
	printf("done %d\n", made);
	return failed ? 1 : 0;
}
