/* Creating, reading, changing, deleting: results and stats to the field. */
#include "judge.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct client c;

static bool is_sequential(int mode) {
	return mode == ZOO_PERSISTENT_SEQUENTIAL || mode == ZOO_EPHEMERAL_SEQUENTIAL || mode == ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL;
}

static void create_mode(int mode) {
	char asked[64], path[128], data[16];
	struct Stat stat, again;
	int length = sizeof data;
	snprintf(asked, sizeof asked, "/nodes/mode-%d-", mode);
	int64_t ttl = mode == ZOO_PERSISTENT_WITH_TTL || mode == ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL ? 100000 : -1;
	OK(zoo_create2_ttl(c.zh, asked, "value", 5, &ZOO_OPEN_ACL_UNSAFE, mode, ttl, path, sizeof path, &stat));
	WANT(strncmp(path, asked, strlen(asked)) == 0 && strlen(path) == strlen(asked) + (is_sequential(mode) ? 10 : 0), "path %s", path);
	WANT(stat.czxid > 0 && stat.mzxid == stat.czxid && stat.pzxid == stat.czxid, "zxids");
	WANT(stat.ctime == stat.mtime && llabs(stat.ctime / 1000 - (int64_t)time(NULL)) < 60, "times");
	WANT(stat.version == 0 && stat.cversion == 0 && stat.aversion == 0, "versions");
	WANT(stat.dataLength == 5 && stat.numChildren == 0, "sizes");
	bool ephemeral = mode == ZOO_EPHEMERAL || mode == ZOO_EPHEMERAL_SEQUENTIAL;
	WANT(stat.ephemeralOwner == (ephemeral ? zoo_client_id(c.zh)->client_id : 0), "owner %llx", (long long)stat.ephemeralOwner);
	OK(zoo_get(c.zh, path, 0, data, &length, &again));
	WANT(length == 5 && memcmp(data, "value", 5) == 0, "data");
	WANT(same_stat(&stat, &again), "stat of get");
	again = stat_of(c.zh, path);
	WANT(same_stat(&stat, &again), "stat of exists");
	OK(zoo_delete(c.zh, path, 0));
	CODE(ZNONODE, zoo_exists(c.zh, path, 0, &again));
}

static void create_modes(void) {
	for (int mode = 0; mode <= ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL; mode++) create_mode(mode);
}

static void sequence(void) {
	char path[64];
	node(c.zh, "/nodes/seq", NULL, 0);
	const char *want[] = {"/nodes/seq/a0000000000", "/nodes/seq/a0000000001", "/nodes/seq/a0000000002"};
	for (int i = 0; i < 3; i++) {
		OK(zoo_create(c.zh, "/nodes/seq/a", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, path, sizeof path));
		WANT(strcmp(path, want[i]) == 0, "path %s", path);
	}
	struct Stat stat = stat_of(c.zh, "/nodes/seq");
	WANT(stat.cversion == 3 && stat.numChildren == 3, "cversion %d", stat.cversion);
}

static void create_errors(void) {
	node(c.zh, "/nodes/eph", NULL, ZOO_EPHEMERAL);
	CODE(ZNODEEXISTS, zoo_create(c.zh, "/nodes/eph", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
	CODE(ZNOCHILDRENFOREPHEMERALS, zoo_create(c.zh, "/nodes/eph/c", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
	CODE(ZNONODE, zoo_create(c.zh, "/nodes/none/c", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
	struct ACL_vector none = {0, NULL};
	CODE(ZINVALIDACL, zoo_create(c.zh, "/nodes/x", NULL, -1, &none, 0, NULL, 0));
	CODE(ZBADARGUMENTS, zoo_create(c.zh, "/nodes/\x01", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
	CODE(ZBADARGUMENTS, zoo_create(c.zh, "nodes", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
	OK(zoo_delete(c.zh, "/nodes/eph", 0));
}

static void versions(void) {
	struct Stat before, stat;
	node(c.zh, "/nodes/v", "0", 0);
	before = stat_of(c.zh, "/nodes/v");
	OK(zoo_set2(c.zh, "/nodes/v", "one", 3, 0, &stat));
	WANT(stat.version == 1 && stat.dataLength == 3 && stat.mzxid > before.mzxid && stat.czxid == before.czxid &&
		stat.pzxid == before.pzxid && stat.ctime == before.ctime, "stat");
	CODE(ZBADVERSION, zoo_set(c.zh, "/nodes/v", "x", 1, 0));
	CODE(ZNONODE, zoo_set(c.zh, "/nodes/none", "x", 1, -1));
	CODE(ZBADVERSION, zoo_delete(c.zh, "/nodes/v", 0));
	OK(zoo_set(c.zh, "/nodes/v", "x", 1, -1));
	OK(zoo_delete(c.zh, "/nodes/v", 2));
	CODE(ZNONODE, zoo_delete(c.zh, "/nodes/v", -1));
}

static void null_and_large(void) {
	struct Stat stat;
	int length = 10;
	char small[10];
	node(c.zh, "/nodes/null", NULL, 0);
	OK(zoo_get(c.zh, "/nodes/null", 0, small, &length, &stat));
	WANT(length == -1 && stat.dataLength == 0, "null data has length %d, %d", length, stat.dataLength);
	enum { SIZE = 900000 };
	char *out = malloc(SIZE), *in = malloc(SIZE);
	for (int i = 0; i < SIZE; i++) out[i] = (char)(i * 7);
	length = SIZE;
	int set = zoo_set(c.zh, "/nodes/null", out, SIZE, 0), get = zoo_get(c.zh, "/nodes/null", 0, in, &length, &stat);
	bool same = length == SIZE && memcmp(in, out, SIZE) == 0;
	free(in);
	free(out);
	OK(set);
	OK(get);
	WANT(same, "900 kB");
	OK(zoo_set(c.zh, "/nodes/null", "", 0, -1));
	length = 10;
	OK(zoo_get(c.zh, "/nodes/null", 0, small, &length, &stat));
	WANT(length == 0, "empty data has length %d", length);
}

static void children(void) {
	struct String_vector names;
	struct Stat stat;
	node(c.zh, "/nodes/family", NULL, 0);
	OK(zoo_get_children(c.zh, "/nodes/family", 0, &names));
	WANT(names.count == 0, "children of a leaf: %d", names.count);
	deallocate_String_vector(&names);
	char path[64];
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof path, "/nodes/family/%d", i);
		node(c.zh, path, NULL, 0);
	}
	OK(zoo_get_children2(c.zh, "/nodes/family", 0, &names, &stat));
	int count = names.count;
	deallocate_String_vector(&names);
	WANT(count == 50 && stat.numChildren == 50 && stat.cversion == 50, "children: %d, %d", count, stat.numChildren);
	CODE(ZNONODE, zoo_get_children(c.zh, "/nodes/none", 0, &names));
	CODE(ZNONODE, zoo_get_children2(c.zh, "/nodes/none", 0, &names, &stat));
	CODE(ZNOTEMPTY, zoo_delete(c.zh, "/nodes/family", -1));
	CODE(ZBADARGUMENTS, zoo_delete(c.zh, "/zookeeper", -1));
}

/* What the asynchronous calls brought: codes in the order of their answers. */
static struct {
	pthread_mutex_t lock;
	int codes[256], count;
	sem_t done;
} answers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answer(int rc) {
	pthread_mutex_lock(&answers.lock);
	answers.codes[answers.count++] = rc;
	pthread_mutex_unlock(&answers.lock);
	sem_post(&answers.done);
}

static void on_stat(int rc, const struct Stat *stat, const void *data) { (void)data; answer(rc == ZOK ? stat->version : rc); }
static void on_void(int rc, const void *data) { (void)data; answer(rc); }
static void on_string(int rc, const char *value, const void *data) { (void)data; answer(rc == ZOK ? (int)strlen(value) : rc); }
static void on_data(int rc, const char *value, int n, const struct Stat *s, const void *data) {
	(void)value; (void)s; (void)data;
	answer(rc == ZOK ? n : rc);
}
static void on_strings(int rc, const struct String_vector *names, const void *data) { (void)data; answer(rc == ZOK ? names->count : rc); }
static void on_acl(int rc, struct ACL_vector *acl, struct Stat *s, const void *data) { (void)s; (void)data; answer(rc == ZOK ? acl->count : rc); }

/* Every asynchronous call, all in flight at once: the answers come in the order of the requests. */
static void asynchronous(void) {
	int want[256], n = 0;
	sem_init(&answers.done, 0, 0);
	OK(zoo_acreate(c.zh, "/nodes/async", "0", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, NULL)); want[n++] = 12;
	for (int i = 1; i <= 100; i++) {
		OK(zoo_aset(c.zh, "/nodes/async", "12345", 5, i - 1, on_stat, NULL)); want[n++] = i;
	}
	OK(zoo_aset(c.zh, "/nodes/async", "x", 1, 3, on_stat, NULL)); want[n++] = ZBADVERSION;
	OK(zoo_aget(c.zh, "/nodes/async", 0, on_data, NULL)); want[n++] = 5;
	OK(zoo_aexists(c.zh, "/nodes/async", 0, on_stat, NULL)); want[n++] = 100;
	OK(zoo_aget_children(c.zh, "/nodes/async", 0, on_strings, NULL)); want[n++] = 0;
	OK(zoo_aget_acl(c.zh, "/nodes/async", on_acl, NULL)); want[n++] = 1;
	OK(zoo_aset_acl(c.zh, "/nodes/async", 0, &ZOO_OPEN_ACL_UNSAFE, on_void, NULL)); want[n++] = 0;
	OK(zoo_async(c.zh, "/nodes/async", on_string, NULL)); want[n++] = 12;
	OK(zoo_adelete(c.zh, "/nodes/async", 100, on_void, NULL)); want[n++] = 0;
	OK(zoo_adelete(c.zh, "/nodes/async", -1, on_void, NULL)); want[n++] = ZNONODE;
	struct timespec limit;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += WAIT_S;
	for (int i = 0; i < n; i++) {
		WANT(sem_timedwait(&answers.done, &limit) == 0, "only %d of %d answers", i, n);
		WANT(answers.codes[i] == want[i], "answer %d is %d, want %d", i, answers.codes[i], want[i]);
	}
}

/* Nodes that the server removes by itself. */
static void removed(void) {
	struct events *events = new_events();
	struct Stat stat;
	node(c.zh, "/nodes/box", NULL, ZOO_CONTAINER);
	node(c.zh, "/nodes/box/c", NULL, 0);
	OK(zoo_wexists(c.zh, "/nodes/box", watch, events, &stat));
	OK(zoo_delete(c.zh, "/nodes/box/c", -1));
	expect(events, ZOO_DELETED_EVENT, "/nodes/box");
	OK(zoo_create_ttl(c.zh, "/nodes/ttl", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 500, NULL, 0));
	if (zoo_wexists(c.zh, "/nodes/ttl", watch, events, &stat) == ZOK) expect(events, ZOO_DELETED_EVENT, "/nodes/ttl");
}

static void configuration(void) {
	char data[256];
	int length = sizeof data;
	struct Stat stat;
	OK(zoo_getconfig(c.zh, 0, data, &length, &stat));
	WANT(length <= 0, "configuration of a single server: %d bytes", length);
	length = sizeof data;
	CODE(ZRECONFIGDISABLED, zoo_reconfig(c.zh, "server.9=127.0.0.1:1:2;3", NULL, NULL, -1, data, &length, &stat));
}

void nodes(void) {
	c = connect_to(server, SESSION_MS);
	node(c.zh, "/nodes", NULL, 0);
	check("create/modes", create_modes);
	check("create/sequence", sequence);
	check("create/errors", create_errors);
	check("data/versions", versions);
	check("data/null-and-large", null_and_large);
	check("children", children);
	check("async", asynchronous);
	check("container-and-ttl/removed", removed);
	check("config", configuration);
	disconnect(&c);
}
