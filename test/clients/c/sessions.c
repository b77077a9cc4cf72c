/* How sessions begin, move, expire and end. */
#include "judge.h"

#include <string.h>
#include <unistd.h>

static struct Stat stat;

/* The harness has tickTime 500 and maxSessionTimeout 60000. */
static void timeouts(void) {
	int asked[] = {300, 7777, 600000}, given[] = {1000, 7777, 60000};
	for (int i = 0; i < 3; i++) {
		struct client c = connect_to(server, asked[i]);
		int got = zoo_recv_timeout(c.zh);
		disconnect(&c);
		WANT(got == given[i], "timeout %d when asked for %d", got, asked[i]);
	}
}

/* A second handle takes the session over with its id and password. */
static void reattach(void) {
	struct client old = connect_to(proxy, SESSION_MS), witness = connect_to(server, SESSION_MS);
	clientid_t id = *zoo_client_id(old.zh);
	node(old.zh, "/moved", NULL, ZOO_EPHEMERAL);
	control("cut");
	await_state(old.session, ZOO_CONNECTING_STATE);
	struct client young = {.session = new_events()};
	young.zh = zookeeper_init(server, watch, SESSION_MS, &id, young.session, 0);
	await_state(young.session, ZOO_CONNECTED_STATE);
	WANT(zoo_client_id(young.zh)->client_id == id.client_id, "another session");
	stat = stat_of(young.zh, "/moved");
	WANT(stat.ephemeralOwner == id.client_id, "owner");
	disconnect(&young);
	CODE(ZNONODE, zoo_exists(witness.zh, "/moved", 0, &stat));
	control("heal");
	await_state(old.session, ZOO_EXPIRED_SESSION_STATE);
	WANT(is_unrecoverable(old.zh) == ZINVALIDSTATE, "recoverable");
	zookeeper_close(old.zh);
	disconnect(&witness);
}

static void expiry(void) {
	struct client lost = connect_to(proxy, LOST_MS), witness = connect_to(server, SESSION_MS);
	struct events *gone = new_events();
	node(lost.zh, "/expired", NULL, ZOO_EPHEMERAL);
	OK(zoo_wexists(witness.zh, "/expired", watch, gone, &stat));
	control("cut");
	expect(gone, ZOO_DELETED_EVENT, "/expired");
	control("heal");
	await_state(lost.session, ZOO_EXPIRED_SESSION_STATE);
	zookeeper_close(lost.zh);
	disconnect(&witness);
}

static void wrong_password(void) {
	struct client c = connect_to(server, SESSION_MS);
	clientid_t id = *zoo_client_id(c.zh);
	id.passwd[0]++;
	struct client thief = {.session = new_events()};
	thief.zh = zookeeper_init(server, watch, SESSION_MS, &id, thief.session, 0);
	await_state(thief.session, ZOO_EXPIRED_SESSION_STATE);
	zookeeper_close(thief.zh);
	int rc;
	while ((rc = zoo_exists(c.zh, "/", 0, &stat)) == ZCONNECTIONLOSS) usleep(10000); /* it may have to come back */
	OK(rc);
	disconnect(&c);
}

static void closed(void) {
	struct client c = connect_to(server, SESSION_MS), witness = connect_to(server, SESSION_MS);
	node(c.zh, "/closed", NULL, ZOO_EPHEMERAL);
	disconnect(&c);
	CODE(ZNONODE, zoo_exists(witness.zh, "/closed", 0, &stat));
	disconnect(&witness);
}

void sessions(void) {
	check("session/timeout", timeouts);
	check("session/reattach", reattach);
	check("session/expiry", expiry);
	check("session/wrong-password", wrong_password);
	check("session/close", closed);
}
