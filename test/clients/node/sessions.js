'use strict';
// How sessions begin, expire and end.

const { assert, zookeeper, server, proxy, check, control, refused, Client, Events } = require('./checks');
const { EPHEMERAL } = zookeeper.CreateMode;

module.exports = async function sessions() {
  await check('session/timeout', timeout);
  await check('session/expiry', expiry);
  await check('session/short-cut', shortCut);
  await check('session/chroot', chroot);
};

/** The harness has tickTime 500 and maxSessionTimeout 60000. */
async function timeout() {
  for (const [asked, given] of [[300, 1000], [7777, 7777], [600_000, 60_000]]) {
    const c = await Client.connect(server, asked);
    assert.equal(c.zk.getSessionTimeout(), given);
    await c.close();
  }
}

async function expiry() {
  const witness = await Client.connect(), lost = await Client.connect(proxy, 5000), gone = new Events();
  await lost.create('/expired', 'x', EPHEMERAL);
  await witness.exists('/expired', gone.watch);
  await control('cut');
  await gone.expect('NODE_DELETED', '/expired');
  await control('heal');
  await lost.state('EXPIRED');
  await refused('SESSION_EXPIRED', lost.exists('/expired'));
  await witness.close();
}

async function shortCut() {
  const witness = await Client.connect(), cut = await Client.connect(proxy);
  await cut.create('/short-cut', 'x', EPHEMERAL);
  const session = cut.session;
  for (let i = 0; i < 3; i++) {
    await control('cut');
    await cut.state('DISCONNECTED');
    await control('heal');
    await cut.state('SYNC_CONNECTED');
  }
  assert.equal(cut.session, session);
  assert.equal((await witness.exists('/short-cut')).ephemeralOwner.toString('hex'), session);
  await cut.close();
  await witness.close();
}

async function chroot() {
  const outside = await Client.connect();
  await outside.create('/chroot');
  const inside = await Client.connect(server + '/chroot');
  assert.equal(await inside.create('/a', 'x'), '/a');
  assert.ok(await outside.exists('/chroot/a'), 'the path outside');
  assert.deepEqual((await inside.children('/'))[0], ['a']);
  await inside.close();
  await outside.close();
}
