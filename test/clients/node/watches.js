'use strict';
// One-shot watches, also across a lost connection.

const { assert, zookeeper, proxy, check, control, Client, Events } = require('./checks');

let c;

module.exports = async function watches() {
  c = await Client.connect();
  await c.create('/w');
  await check('watch/exists', exists);
  await check('watch/data', data);
  await check('watch/children', children);
  await check('watch/session-end', sessionEnd);
  await check('watch/reconnect', reconnect);
  await c.close();
};

async function exists() {
  const e = new Events();
  assert.equal(await c.exists('/w/e', e.watch), null);
  await c.create('/w/e');
  await e.expect('NODE_CREATED', '/w/e');
  await c.exists('/w/e', e.watch);
  await c.set('/w/e', 'x');
  await e.expect('NODE_DATA_CHANGED', '/w/e');
  await c.exists('/w/e', e.watch);
  await c.remove('/w/e');
  await e.expect('NODE_DELETED', '/w/e');
}

async function data() {
  const e = new Events();
  await c.create('/w/d');
  await c.get('/w/d', e.watch);
  await c.set('/w/d', '1');
  await c.set('/w/d', '2');
  await e.expect('NODE_DATA_CHANGED', '/w/d');
  e.none();
  await c.get('/w/d', e.watch);
  await c.remove('/w/d');
  await e.expect('NODE_DELETED', '/w/d');
}

async function children() {
  const e = new Events();
  await c.create('/w/c');
  await c.children('/w/c', e.watch);
  await c.set('/w/c', 'x');
  await c.create('/w/c/a');
  await e.expect('NODE_CHILDREN_CHANGED', '/w/c');
  await c.children('/w/c', e.watch);
  await c.remove('/w/c/a');
  await e.expect('NODE_CHILDREN_CHANGED', '/w/c');
}

async function sessionEnd() {
  const other = await Client.connect(), e = new Events();
  await other.create('/w/eph', 'x', zookeeper.CreateMode.EPHEMERAL);
  await c.exists('/w/eph', e.watch);
  await other.close();
  await e.expect('NODE_DELETED', '/w/eph');
}

/** What happened while a client was cut off is told when it comes back; what did not happen, is not. */
async function reconnect() {
  const cut = await Client.connect(proxy);
  const [changed, gone, family, born, still] = Array.from({ length: 5 }, () => new Events());
  for (const name of ['changed', 'gone', 'family', 'still']) await c.create('/w/' + name);
  await cut.get('/w/changed', changed.watch);
  await cut.exists('/w/gone', gone.watch);
  await cut.children('/w/family', family.watch);
  await cut.exists('/w/born', born.watch);
  await cut.get('/w/still', still.watch);
  const session = cut.session;
  await control('cut');
  await cut.state('DISCONNECTED');
  await c.set('/w/changed', 'x');
  await c.remove('/w/gone');
  await c.create('/w/family/c');
  await c.create('/w/born');
  await control('heal');
  await cut.state('SYNC_CONNECTED');
  assert.equal(cut.session, session);
  await changed.expect('NODE_DATA_CHANGED', '/w/changed');
  await gone.expect('NODE_DELETED', '/w/gone');
  await family.expect('NODE_CHILDREN_CHANGED', '/w/family');
  await born.expect('NODE_CREATED', '/w/born');
  still.none();
  await c.set('/w/still', 'x');
  await still.expect('NODE_DATA_CHANGED', '/w/still');
  await cut.close();
}
