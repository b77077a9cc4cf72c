'use strict';
// The server is killed and comes back on the same data.

const { assert, zookeeper, check, control, refused, plain, Client, Events } = require('./checks');
const { ACL, CreateMode } = zookeeper;

let c, session, stats;
const data = new Events(), exist = new Events(), child = new Events();

module.exports = async function survival() {
  c = await Client.connect();
  await check('survival/prepare', prepare);
  await check('survival/kill', kill);
  await check('survival/session', sameSession);
  await check('survival/data', sameData);
  await check('survival/watches', sameWatches);
  await check('survival/identity', sameIdentity);
  await check('survival/again', again);
  await check('survival/ended', ended);
};

async function prepare() {
  session = c.session;
  c.zk.addAuthInfo('digest', Buffer.from('eve:secret'));
  await c.create('/s');
  await c.create('/s/e', 'e', CreateMode.EPHEMERAL);
  await c.create('/s/private', 'p', CreateMode.PERSISTENT, ACL.CREATOR_ALL_ACL);
  await c.create('/s/watched', '0');
  await c.set('/s/watched', '1');
  stats = await tree();
  await c.get('/s/watched', data.watch);
  await c.exists('/s/absent', exist.watch);
  await c.children('/s/watched', child.watch);
}

async function tree() {
  const all = {};
  for (const name of (await c.children('/s'))[0].sort()) all[name] = plain(await c.exists('/s/' + name));
  return all;
}

async function kill() {
  await control('kill');
  await c.state('DISCONNECTED');
  await control('start');
  await c.state('SYNC_CONNECTED');
}

async function sameSession() {
  assert.equal(c.session, session);
  assert.equal((await c.exists('/s/e')).ephemeralOwner.toString('hex'), session);
}

async function sameData() {
  assert.deepEqual(await tree(), stats);
  assert.equal((await c.get('/s/watched'))[0].toString(), '1');
}

async function sameWatches() {
  await c.set('/s/watched', '2');
  await data.expect('NODE_DATA_CHANGED', '/s/watched');
  await c.create('/s/absent');
  await exist.expect('NODE_CREATED', '/s/absent');
  await c.create('/s/watched/c');
  await child.expect('NODE_CHILDREN_CHANGED', '/s/watched');
}

async function sameIdentity() {
  await c.set('/s/private', 'x');
  const other = await Client.connect();
  await refused('NO_AUTH', other.get('/s/private'));
  await other.close();
}

/** A second crash, with changes since the first. */
async function again() {
  await c.remove('/s/private');
  await kill();
  await sameSession();
  assert.equal(await c.exists('/s/private'), null);
}

async function ended() {
  await c.close();
  const other = await Client.connect();
  assert.equal(await other.exists('/s/e'), null);
  await other.close();
}
