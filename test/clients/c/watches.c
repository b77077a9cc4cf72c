/* Every kind of watch that the library has, also across a lost connection. */
#include "judge.h"

static struct client c;
static struct Stat stat;
static struct String_vector names;

static void exists_watch(void) {
	struct events *e = new_events();
	CODE(ZNONODE, zoo_wexists(c.zh, "/w/e", watch, e, &stat));
	node(c.zh, "/w/e", NULL, 0);
	expect(e, ZOO_CREATED_EVENT, "/w/e");
	OK(zoo_wexists(c.zh, "/w/e", watch, e, &stat));
	OK(zoo_set(c.zh, "/w/e", "x", 1, -1));
	expect(e, ZOO_CHANGED_EVENT, "/w/e");
	OK(zoo_wexists(c.zh, "/w/e", watch, e, &stat));
	OK(zoo_delete(c.zh, "/w/e", -1));
	expect(e, ZOO_DELETED_EVENT, "/w/e");
}

static void data_watch(void) {
	struct events *e = new_events();
	char data[8];
	int length = sizeof data;
	node(c.zh, "/w/d", NULL, 0);
	OK(zoo_wget(c.zh, "/w/d", watch, e, data, &length, &stat));
	OK(zoo_set(c.zh, "/w/d", "1", 1, -1));
	OK(zoo_set(c.zh, "/w/d", "2", 1, -1));
	expect(e, ZOO_CHANGED_EVENT, "/w/d");
	quiet(e);
	length = sizeof data;
	OK(zoo_wget(c.zh, "/w/d", watch, e, data, &length, &stat));
	OK(zoo_delete(c.zh, "/w/d", -1));
	expect(e, ZOO_DELETED_EVENT, "/w/d");
}

static void child_watch(void) {
	struct events *e = new_events();
	node(c.zh, "/w/c", NULL, 0);
	OK(zoo_wget_children(c.zh, "/w/c", watch, e, &names));
	deallocate_String_vector(&names);
	OK(zoo_set(c.zh, "/w/c", "x", 1, -1));
	node(c.zh, "/w/c/a", NULL, 0);
	expect(e, ZOO_CHILD_EVENT, "/w/c");
	OK(zoo_wget_children2(c.zh, "/w/c", watch, e, &names, &stat));
	deallocate_String_vector(&names);
	OK(zoo_delete(c.zh, "/w/c/a", -1));
	expect(e, ZOO_CHILD_EVENT, "/w/c");
	OK(zoo_wget_children(c.zh, "/w/c", watch, e, &names));
	deallocate_String_vector(&names);
	OK(zoo_delete(c.zh, "/w/c", -1));
	expect(e, ZOO_DELETED_EVENT, "/w/c");
}

static void default_watch(void) {
	struct client other = connect_to(server, SESSION_MS);
	OK(zoo_exists(other.zh, "/w", 1, &stat));
	OK(zoo_set(c.zh, "/w", "x", 1, -1));
	expect(other.session, ZOO_CHANGED_EVENT, "/w");
	disconnect(&other);
}

static void remove_watch(void) {
	struct events *e = new_events();
	OK(zoo_wexists(c.zh, "/w", watch, e, &stat));
	OK(zoo_remove_watches(c.zh, "/w", ZWATCHTYPE_DATA, watch, e, 0));
	OK(zoo_set(c.zh, "/w", "y", 1, -1));
	CODE(ZNOWATCHER, zoo_remove_watches(c.zh, "/w", ZWATCHTYPE_DATA, watch, e, 0));
	OK(zoo_wget_children(c.zh, "/w", watch, e, &names));
	deallocate_String_vector(&names);
	OK(zoo_remove_all_watches(c.zh, "/w", ZWATCHTYPE_CHILD, 0));
	CODE(ZNOWATCHER, zoo_remove_all_watches(c.zh, "/w/none", ZWATCHTYPE_DATA, 0));
}

/* What happened while a client was cut off is told when it comes back; what did not happen, is not. */
static void reconnect(void) {
	struct client cut = connect_to(proxy, SESSION_MS);
	struct events *changed = new_events(), *gone = new_events(), *family = new_events(), *born = new_events(), *still = new_events();
	char data[8];
	int length = sizeof data;
	int64_t id = zoo_client_id(cut.zh)->client_id;
	node(c.zh, "/w/changed", NULL, 0);
	node(c.zh, "/w/gone", NULL, 0);
	node(c.zh, "/w/family", NULL, 0);
	node(c.zh, "/w/still", NULL, 0);
	OK(zoo_wget(cut.zh, "/w/changed", watch, changed, data, &length, &stat));
	OK(zoo_wexists(cut.zh, "/w/gone", watch, gone, &stat));
	OK(zoo_wget_children(cut.zh, "/w/family", watch, family, &names));
	deallocate_String_vector(&names);
	CODE(ZNONODE, zoo_wexists(cut.zh, "/w/born", watch, born, &stat));
	OK(zoo_wexists(cut.zh, "/w/still", watch, still, &stat));
	control("cut");
	await_state(cut.session, ZOO_CONNECTING_STATE);
	OK(zoo_set(c.zh, "/w/changed", "x", 1, -1));
	OK(zoo_delete(c.zh, "/w/gone", -1));
	node(c.zh, "/w/family/c", NULL, 0);
	node(c.zh, "/w/born", NULL, 0);
	control("heal");
	await_state(cut.session, ZOO_CONNECTED_STATE);
	WANT(zoo_client_id(cut.zh)->client_id == id, "another session");
	/* This library tells every watcher of the end of its connection, too. */
	await_state(changed, ZOO_CONNECTED_STATE);
	await_state(gone, ZOO_CONNECTED_STATE);
	await_state(family, ZOO_CONNECTED_STATE);
	await_state(born, ZOO_CONNECTED_STATE);
	await_state(still, ZOO_CONNECTED_STATE);
	expect(changed, ZOO_CHANGED_EVENT, "/w/changed");
	expect(gone, ZOO_DELETED_EVENT, "/w/gone");
	expect(family, ZOO_CHILD_EVENT, "/w/family");
	expect(born, ZOO_CREATED_EVENT, "/w/born");
	quiet(still);
	OK(zoo_set(c.zh, "/w/still", "x", 1, -1));
	expect(still, ZOO_CHANGED_EVENT, "/w/still");
	disconnect(&cut);
}

void watches(void) {
	c = connect_to(server, SESSION_MS);
	node(c.zh, "/w", NULL, 0);
	check("watch/exists", exists_watch);
	check("watch/data", data_watch);
	check("watch/children", child_watch);
	check("watch/default", default_watch);
	check("watch/remove", remove_watch);
	check("watch/reconnect", reconnect);
	disconnect(&c);
}
