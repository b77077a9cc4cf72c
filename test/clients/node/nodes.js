'use strict';
// Creating, reading, changing, deleting, transactions: results and stats to the field.

const { assert, zookeeper, check, refused, plain, long, Client } = require('./checks');
const { CreateMode } = zookeeper;

let c;

module.exports = async function nodes() {
  c = await Client.connect();
  await c.create('/nodes');
  for (const mode of Object.keys(CreateMode)) await check('create/' + mode, () => create(mode));
  await check('create/sequence', sequence);
  await check('create/errors', createErrors);
  await check('create/mkdirp', mkdirp);
  await check('data/versions', versions);
  await check('data/empty-and-large', emptyAndLarge);
  await check('data/pipelined', pipelined);
  await check('children', children);
  await check('delete', remove);
  await check('transaction', transaction);
  await check('transaction/failure', transactionFailure);
  await c.close();
};

async function create(mode) {
  const asked = '/nodes/' + mode;
  const path = await c.create(asked, 'value', CreateMode[mode]);
  assert.match(path, mode.endsWith('SEQUENTIAL') ? new RegExp(`^${asked}\\d{10}$`) : new RegExp(`^${asked}$`));
  const [data, stat] = await c.get(path);
  assert.equal(data.toString(), 'value');
  const p = plain(stat);
  assert.deepEqual([p.mzxid, p.pzxid, p.mtime], [p.czxid, p.czxid, p.ctime]);
  assert.ok(long(stat.czxid) > 0n && Math.abs(Number(long(stat.ctime)) - Date.now()) < 60_000, 'czxid, ctime');
  assert.deepEqual([p.version, p.cversion, p.aversion, p.dataLength, p.numChildren], [0, 0, 0, 5, 0]);
  assert.equal(p.ephemeralOwner, mode.startsWith('EPHEMERAL') ? c.session : '0000000000000000');
  assert.deepEqual(plain(await c.exists(path)), p);
  await c.remove(path);
  assert.equal(await c.exists(path), null);
}

async function sequence() {
  await c.create('/nodes/seq');
  for (let i = 0; i < 3; i++) {
    assert.equal(await c.create('/nodes/seq/n', 'x', CreateMode.PERSISTENT_SEQUENTIAL), '/nodes/seq/n000000000' + i);
  }
}

async function createErrors() {
  await c.create('/nodes/eph', 'x', CreateMode.EPHEMERAL);
  await refused('NODE_EXISTS', c.create('/nodes/eph'));
  await refused('NO_CHILDREN_FOR_EPHEMERALS', c.create('/nodes/eph/c'));
  await refused('NO_NODE', c.create('/nodes/none/c'));
  await c.remove('/nodes/eph');
}

async function mkdirp() {
  await c.call('mkdirp', '/nodes/a/b/c');
  await c.call('mkdirp', '/nodes/a/b/c');
  assert.ok(await c.exists('/nodes/a/b/c'), '/nodes/a/b/c');
  await c.remove('/nodes/a/b/c'); // the library's walk sees two levels
  assert.deepEqual(await c.call('listSubTreeBFS', '/nodes/a'), ['/nodes/a', '/nodes/a/b']);
  await c.call('removeRecursive', '/nodes/a', -1);
  assert.equal(await c.exists('/nodes/a'), null);
}

async function versions() {
  await c.create('/nodes/v', '0');
  const before = plain(await c.exists('/nodes/v'));
  const after = plain(await c.set('/nodes/v', 'one'));
  assert.ok(after.mzxid > before.mzxid, 'mzxid');
  assert.deepEqual(after, { ...before, version: 1, dataLength: 3, mzxid: after.mzxid, mtime: after.mtime });
  await refused('BAD_VERSION', c.set('/nodes/v', 'x', 7));
  await refused('BAD_VERSION', c.remove('/nodes/v', 7));
  await refused('NO_NODE', c.set('/nodes/none', 'x'));
  await refused('NO_NODE', c.get('/nodes/none'));
  assert.equal((await c.set('/nodes/v', 'x', 1)).version, 2);
  await c.remove('/nodes/v', 2);
}

async function emptyAndLarge() {
  await c.create('/nodes/e');
  const [none, stat] = await c.get('/nodes/e');
  assert.ok(!none || none.length === 0, 'no data');
  assert.equal(stat.dataLength, 0);
  const big = Buffer.alloc(900_000, 'quoll');
  await c.call('setData', '/nodes/e', big, -1);
  assert.ok(big.equals((await c.get('/nodes/e'))[0]), '900 kB');
}

async function pipelined() {
  await c.create('/nodes/p', '0');
  const sets = Array.from({ length: 200 }, (_, i) => c.set('/nodes/p', String(i + 1)));
  const read = c.get('/nodes/p');
  assert.deepEqual((await Promise.all(sets)).map((s) => s.version), sets.map((_, i) => i + 1));
  assert.equal((await read)[0].toString(), '200');
}

async function children() {
  await c.create('/nodes/family');
  assert.deepEqual((await c.children('/nodes/family'))[0], []);
  for (const name of ['b', 'a', 'été']) await c.create('/nodes/family/' + name);
  const [names, stat] = await c.children('/nodes/family');
  assert.deepEqual(names.sort(), ['a', 'b', 'été']);
  assert.deepEqual([stat.numChildren, stat.cversion], [3, 3]);
  await refused('NO_NODE', c.children('/nodes/none'));
}

async function remove() {
  await refused('NOT_EMPTY', c.remove('/nodes/family'));
  await refused('NO_NODE', c.remove('/nodes/none'));
  await refused('BAD_ARGUMENTS', c.remove('/zookeeper'));
}

async function transaction() {
  const t = c.zk.transaction()
    .create('/nodes/t', Buffer.from('1'))
    .check('/nodes/t')
    .setData('/nodes/t', Buffer.from('22'))
    .create('/nodes/t/e', CreateMode.EPHEMERAL)
    .remove('/nodes/t/e');
  const results = await new Promise((resolve, reject) => t.commit((e, r) => (e ? reject(e) : resolve(r))));
  assert.equal(results.length, 5);
  const stat = plain(await c.exists('/nodes/t'));
  assert.deepEqual([stat.version, stat.dataLength, stat.cversion, stat.mzxid], [1, 2, 2, stat.czxid]);
}

async function transactionFailure() {
  const t = c.zk.transaction().create('/nodes/u').check('/nodes/t', 9).remove('/nodes/none');
  await refused('BAD_VERSION', new Promise((resolve, reject) => t.commit((e, r) => (e ? reject(e) : resolve(r)))));
  assert.equal(await c.exists('/nodes/u'), null);
}
