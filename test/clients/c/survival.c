/* The server is killed and comes back on the same data. */
#include "judge.h"

#include <string.h>

static struct client c;
static int64_t session;
static struct Stat before[4], stat;
static const char *paths[] = {"/s", "/s/e", "/s/private", "/s/watched"};
static struct events *data, *exist, *child;
static struct String_vector names;

static void prepare(void) {
	session = zoo_client_id(c.zh)->client_id;
	OK(zoo_add_auth(c.zh, "digest", "eve:secret", 10, NULL, NULL));
	node(c.zh, "/s", "s", 0);
	node(c.zh, "/s/e", "e", ZOO_EPHEMERAL);
	OK(zoo_create(c.zh, "/s/private", NULL, -1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
	node(c.zh, "/s/watched", "0", 0);
	OK(zoo_set(c.zh, "/s/watched", "11", 2, 0));
	for (int i = 0; i < 4; i++) before[i] = stat_of(c.zh, paths[i]);
	data = new_events();
	exist = new_events();
	child = new_events();
	char buffer[8];
	int length = sizeof buffer;
	OK(zoo_wget(c.zh, "/s/watched", watch, data, buffer, &length, &stat));
	CODE(ZNONODE, zoo_wexists(c.zh, "/s/absent", watch, exist, &stat));
	OK(zoo_wget_children(c.zh, "/s/watched", watch, child, &names));
	deallocate_String_vector(&names);
}

static void kill_server(void) {
	control("kill");
	await_state(c.session, ZOO_CONNECTING_STATE);
	control("start");
	await_state(c.session, ZOO_CONNECTED_STATE);
}

static void same_session(void) {
	WANT(zoo_client_id(c.zh)->client_id == session, "another session");
	stat = stat_of(c.zh, "/s/e");
	WANT(stat.ephemeralOwner == session, "owner");
}

static void same_data(void) {
	for (int i = 0; i < 4; i++) {
		stat = stat_of(c.zh, paths[i]);
		WANT(same_stat(&before[i], &stat), "stat of %s", paths[i]);
	}
	char buffer[8];
	int length = sizeof buffer;
	OK(zoo_get(c.zh, "/s/watched", 0, buffer, &length, &stat));
	WANT(length == 2 && memcmp(buffer, "11", 2) == 0, "data");
}

static void same_watches(void) {
	await_state(data, ZOO_CONNECTED_STATE);
	await_state(exist, ZOO_CONNECTED_STATE);
	await_state(child, ZOO_CONNECTED_STATE);
	OK(zoo_set(c.zh, "/s/watched", "2", 1, -1));
	expect(data, ZOO_CHANGED_EVENT, "/s/watched");
	node(c.zh, "/s/absent", NULL, 0);
	expect(exist, ZOO_CREATED_EVENT, "/s/absent");
	node(c.zh, "/s/watched/c", NULL, 0);
	expect(child, ZOO_CHILD_EVENT, "/s/watched");
}

static void same_identity(void) {
	OK(zoo_set(c.zh, "/s/private", "x", 1, -1));
}

/* A second crash, with changes since the first. */
static void again(void) {
	OK(zoo_delete(c.zh, "/s/private", -1));
	kill_server();
	same_session();
	CODE(ZNONODE, zoo_exists(c.zh, "/s/private", 0, &stat));
}

static void ended(void) {
	disconnect(&c);
	struct client other = connect_to(server, SESSION_MS);
	CODE(ZNONODE, zoo_exists(other.zh, "/s/e", 0, &stat));
	disconnect(&other);
}

void survival(void) {
	c = connect_to(server, SESSION_MS);
	check("survival/prepare", prepare);
	check("survival/kill", kill_server);
	check("survival/session", same_session);
	check("survival/data", same_data);
	check("survival/watches", same_watches);
	check("survival/identity", same_identity);
	check("survival/again", again);
	check("survival/ended", ended);
}
