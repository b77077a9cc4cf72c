/* Several operations as one. */
#include "judge.h"

#include <string.h>

static struct client c;

static void all(void) {
	char one[64], two[64];
	struct Stat stat;
	zoo_op_t ops[5];
	zoo_op_result_t results[5];
	zoo_create_op_init(&ops[0], "/multi/a", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, one, sizeof one);
	zoo_check_op_init(&ops[1], "/multi/a", 0);
	zoo_set_op_init(&ops[2], "/multi/a", "22", 2, 0, &stat);
	zoo_create_op_init(&ops[3], "/multi/a/s", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, two, sizeof two);
	zoo_delete_op_init(&ops[4], "/multi/a/s0000000000", 0);
	OK(zoo_multi(c.zh, 5, ops, results));
	for (int i = 0; i < 5; i++) WANT(results[i].err == ZOK, "result %d is %d", i, results[i].err);
	WANT(strcmp(one, "/multi/a") == 0 && strcmp(two, "/multi/a/s0000000000") == 0, "paths %s, %s", one, two);
	WANT(stat.version == 1 && stat.dataLength == 2, "stat");
	struct Stat now = stat_of(c.zh, "/multi/a");
	WANT(now.czxid == now.mzxid && now.czxid == now.pzxid && now.cversion == 2, "one zxid");
}

static void refused(int want, void (*init)(zoo_op_t *)) {
	zoo_op_t ops[3];
	zoo_op_result_t results[3];
	char path[64];
	struct Stat stat;
	zoo_create_op_init(&ops[0], "/multi/f", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
	init(&ops[1]);
	zoo_delete_op_init(&ops[2], "/multi/f", -1);
	CODE(want, zoo_multi(c.zh, 3, ops, results));
	WANT(results[0].err == ZOK, "before: %d", results[0].err);
	WANT(results[1].err == want, "the culprit: %d", results[1].err);
	WANT(results[2].err == ZRUNTIMEINCONSISTENCY, "after: %d", results[2].err);
	CODE(ZNONODE, zoo_exists(c.zh, "/multi/f", 0, &stat));
}

static struct Stat unused;
static char unused_path[64];
static void bad_check(zoo_op_t *op) { zoo_check_op_init(op, "/multi", 9); }
static void bad_delete(zoo_op_t *op) { zoo_delete_op_init(op, "/multi/none", -1); }
static void full_delete(zoo_op_t *op) { zoo_delete_op_init(op, "/multi", -1); }
static void bad_set(zoo_op_t *op) { zoo_set_op_init(op, "/multi", "x", 1, 9, &unused); }
static void bad_create(zoo_op_t *op) {
	zoo_create_op_init(op, "/multi/f", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, unused_path, sizeof unused_path);
}

static void failures(void) {
	refused(ZBADVERSION, bad_check);
	refused(ZNONODE, bad_delete);
	refused(ZNOTEMPTY, full_delete);
	refused(ZBADVERSION, bad_set);
	refused(ZNODEEXISTS, bad_create);
}

void multis(void) {
	c = connect_to(server, SESSION_MS);
	node(c.zh, "/multi", NULL, 0);
	check("multi/all", all);
	check("multi/failures", failures);
	disconnect(&c);
}
