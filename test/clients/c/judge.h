/* The C client (libzookeeper_mt) as a judge. Checks fail by WANT and CODE, which leave the check at once. */
#ifndef JUDGE_H
#define JUDGE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef THREADED
#define THREADED
#endif
#include <zookeeper/zookeeper.h>

/* SESSION_MS is a session that lives through a restart, LOST_MS one that shall expire, and not before it is cut off. */
enum { SESSION_MS = 40000, LOST_MS = 5000, WAIT_S = 60 };

extern const char *server, *proxy;

/* Runs body as the check NAME. */
void check(const char *name, void (*body)(void));
/* Leaves the running check with a reason. */
void fail(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));
/* Asks the harness to do something and waits until it is done. */
void control(const char *verb);

#define WANT(ok, ...) do { if (!(ok)) fail(__FILE__, __LINE__, __VA_ARGS__); } while (0)
/* The call must return exactly this code. */
#define CODE(want, call) do { int code_ = (call); \
	WANT(code_ == (want), "%s: got %s (%d), want %s", #call, zerror(code_), code_, zerror(want)); } while (0)
#define OK(call) CODE(ZOK, call)

/* A queue of events, fed by watch(). */
struct events;
struct events *new_events(void);
void watch(zhandle_t *zh, int type, int state, const char *path, void *events);
/* The next event must be this one. */
void expect(struct events *events, int type, const char *path);
/* Nothing came; only after something later was seen is this a statement about the server. */
void quiet(struct events *events);
/* Waits for a state of the session, dropping others before it. */
void await_state(struct events *events, int state);

/* A client with the events of its session. */
struct client {
	zhandle_t *zh;
	struct events *session;
};
struct client connect_to(const char *address, int timeout_ms);
void disconnect(struct client *c);

/* Creates an open node. */
void node(zhandle_t *zh, const char *path, const char *value, int flags);
/* The stat of a node that must be there. */
struct Stat stat_of(zhandle_t *zh, const char *path);
bool same_stat(const struct Stat *a, const struct Stat *b);

void nodes(void);
void multis(void);
void watches(void);
void identities(void);
void sessions(void);
void survival(void);

#endif
