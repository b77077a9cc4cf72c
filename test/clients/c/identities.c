/* Access control lists and digest authentication. */
#include "judge.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct client c;
static struct Stat stat;

struct authentication {
	sem_t done;
	int code;
};

static void authenticated(int rc, const void *data) {
	struct authentication *a = (struct authentication *)data;
	a->code = rc;
	sem_post(&a->done);
}

static int authenticate(zhandle_t *zh, const char *scheme, const char *cert) {
	static struct authentication a; /* the answer of a refused one may come after the check */
	struct timespec limit;
	sem_init(&a.done, 0, 0);
	OK(zoo_add_auth(zh, scheme, cert, (int)strlen(cert), authenticated, &a));
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += WAIT_S;
	WANT(sem_timedwait(&a.done, &limit) == 0, "no answer to %s", scheme);
	return a.code;
}

static void refused(zhandle_t *zh, const char *path) {
	char data[8], child[64];
	int length = sizeof data;
	struct String_vector names;
	struct ACL_vector acl;
	snprintf(child, sizeof child, "%s/c", path);
	CODE(ZNOAUTH, zoo_get(zh, path, 0, data, &length, &stat));
	CODE(ZNOAUTH, zoo_set(zh, path, "x", 1, -1));
	CODE(ZNOAUTH, zoo_get_children(zh, path, 0, &names));
	CODE(ZNOAUTH, zoo_create(zh, child, NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
	CODE(ZNOAUTH, zoo_set_acl(zh, path, -1, &ZOO_OPEN_ACL_UNSAFE));
	CODE(ZNOAUTH, zoo_get_acl(zh, path, &acl, &stat));
}

static void digest(void) {
	struct client ann = connect_to(server, SESSION_MS), wrong = connect_to(server, SESSION_MS);
	struct ACL_vector acl;
	char data[8];
	int length = sizeof data;
	CODE(ZINVALIDACL, zoo_create(ann.zh, "/acl/mine", "m", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
	CODE(ZOK, authenticate(ann.zh, "digest", "ann:secret"));
	OK(zoo_create(ann.zh, "/acl/mine", "m", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
	OK(zoo_get_acl(ann.zh, "/acl/mine", &acl, &stat));
	bool digest = acl.count == 1 && strcmp(acl.data[0].id.scheme, "digest") == 0 &&
		strncmp(acl.data[0].id.id, "ann:", 4) == 0 && strlen(acl.data[0].id.id) == 32 && acl.data[0].perms == ZOO_PERM_ALL;
	deallocate_ACL_vector(&acl);
	WANT(digest, "auth becomes digest");
	CODE(ZOK, authenticate(wrong.zh, "digest", "ann:wrong"));
	refused(c.zh, "/acl/mine");
	refused(wrong.zh, "/acl/mine");
	CODE(ZOK, authenticate(wrong.zh, "digest", "ann:secret"));
	OK(zoo_get(wrong.zh, "/acl/mine", 0, data, &length, &stat));
	disconnect(&ann);
	disconnect(&wrong);
}

static void versions(void) {
	struct ACL_vector acl;
	node(c.zh, "/acl/v", NULL, 0);
	OK(zoo_set_acl(c.zh, "/acl/v", 0, &ZOO_READ_ACL_UNSAFE));
	OK(zoo_get_acl(c.zh, "/acl/v", &acl, &stat));
	bool world = acl.count == 1 && strcmp(acl.data[0].id.scheme, "world") == 0 &&
		strcmp(acl.data[0].id.id, "anyone") == 0 && acl.data[0].perms == ZOO_PERM_READ;
	deallocate_ACL_vector(&acl);
	WANT(world && stat.aversion == 1 && stat.version == 0, "ACL");
	CODE(ZNOAUTH, zoo_set_acl(c.zh, "/acl/v", 1, &ZOO_OPEN_ACL_UNSAFE));
	CODE(ZBADVERSION, zoo_set_acl(c.zh, "/acl", 9, &ZOO_OPEN_ACL_UNSAFE));
	CODE(ZNONODE, zoo_set_acl(c.zh, "/acl/none", -1, &ZOO_OPEN_ACL_UNSAFE));
	CODE(ZNONODE, zoo_get_acl(c.zh, "/acl/none", &acl, &stat));
}

static void invalid(void) {
	struct ACL bad[] = {
		{ZOO_PERM_ALL, {"nosuch", "x"}}, {ZOO_PERM_ALL, {"world", "me"}}, {ZOO_PERM_ALL, {"digest", "x"}}, {ZOO_PERM_ALL, {"ip", "1.2.3"}},
	};
	for (int i = 0; i < 4; i++) {
		struct ACL_vector acl = {1, &bad[i]};
		CODE(ZINVALIDACL, zoo_create(c.zh, "/acl/bad", NULL, -1, &acl, 0, NULL, 0));
		CODE(ZINVALIDACL, zoo_set_acl(c.zh, "/acl", -1, &acl));
	}
}

static void super(void) {
	struct client boss = connect_to(server, SESSION_MS);
	CODE(ZOK, authenticate(boss.zh, "digest", "super:quoll-super"));
	OK(zoo_set_acl(boss.zh, "/acl/v", 1, &ZOO_OPEN_ACL_UNSAFE));
	OK(zoo_set(c.zh, "/acl/v", "x", 1, -1));
	disconnect(&boss);
}

static void unknown_scheme(void) {
	struct client bad = connect_to(server, SESSION_MS);
	CODE(ZAUTHFAILED, authenticate(bad.zh, "nosuch", "x"));
	await_state(bad.session, ZOO_AUTH_FAILED_STATE);
	zookeeper_close(bad.zh);
}

void identities(void) {
	c = connect_to(server, SESSION_MS);
	node(c.zh, "/acl", NULL, 0);
	check("acl/digest", digest);
	check("acl/versions", versions);
	check("acl/invalid", invalid);
	check("acl/super", super);
	check("acl/unknown-scheme", unknown_scheme);
	disconnect(&c);
}
