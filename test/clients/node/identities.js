'use strict';
// Access control lists and digest authentication.

const { assert, zookeeper, check, refused, Client } = require('./checks');
const { ACL, Id, Permission, CreateMode } = zookeeper;

let c;

module.exports = async function identities() {
  c = await Client.connect();
  await c.create('/acl');
  await check('acl/digest', digest);
  await check('acl/versions', versions);
  await check('acl/invalid', invalid);
  await check('acl/super', superUser);
  await check('acl/unknown-scheme', unknownScheme);
  await c.close();
};

async function digest() {
  const ann = await Client.connect(), wrong = await Client.connect();
  await refused('INVALID_ACL', ann.create('/acl/mine', 'm', CreateMode.PERSISTENT, ACL.CREATOR_ALL_ACL));
  ann.zk.addAuthInfo('digest', Buffer.from('ann:secret'));
  await ann.create('/acl/mine', 'm', CreateMode.PERSISTENT, ACL.CREATOR_ALL_ACL);
  const [acls] = await ann.call('getACL', '/acl/mine');
  assert.equal(acls.length, 1);
  assert.equal(acls[0].id.scheme, 'digest');
  assert.match(acls[0].id.id, /^ann:.{28}$/);
  wrong.zk.addAuthInfo('digest', Buffer.from('ann:wrong'));
  for (const other of [c, wrong]) {
    await refused('NO_AUTH', other.get('/acl/mine'));
    await refused('NO_AUTH', other.set('/acl/mine', 'x'));
    await refused('NO_AUTH', other.children('/acl/mine'));
    await refused('NO_AUTH', other.create('/acl/mine/c'));
    await refused('NO_AUTH', other.call('setACL', '/acl/mine', ACL.OPEN_ACL_UNSAFE, -1));
  }
  wrong.zk.addAuthInfo('digest', Buffer.from('ann:secret'));
  assert.equal((await wrong.get('/acl/mine'))[0].toString(), 'm');
  await ann.close();
  await wrong.close();
}

async function versions() {
  await c.create('/acl/v');
  const stat = await c.call('setACL', '/acl/v', ACL.READ_ACL_UNSAFE, -1);
  assert.deepEqual([stat.aversion, stat.version], [1, 0]);
  const [acls] = await c.call('getACL', '/acl/v');
  assert.deepEqual([acls.length, acls[0].permission, acls[0].id.scheme, acls[0].id.id], [1, Permission.READ, 'world', 'anyone']);
  await refused('NO_AUTH', c.call('setACL', '/acl/v', ACL.OPEN_ACL_UNSAFE, -1));
  await refused('BAD_VERSION', c.call('setACL', '/acl', ACL.OPEN_ACL_UNSAFE, 9));
  await refused('NO_NODE', c.call('setACL', '/acl/none', ACL.OPEN_ACL_UNSAFE, -1));
  await refused('NO_NODE', c.call('getACL', '/acl/none'));
}

async function invalid() {
  for (const [scheme, id] of [['nosuch', 'x'], ['world', 'me'], ['digest', 'x'], ['ip', '1.2.3']]) {
    const acl = [new ACL(Permission.ALL, new Id(scheme, id))];
    await refused('INVALID_ACL', c.create('/acl/bad', 'x', CreateMode.PERSISTENT, acl));
  }
}

async function superUser() {
  const boss = await Client.connect();
  boss.zk.addAuthInfo('digest', Buffer.from('super:quoll-super'));
  await boss.call('setACL', '/acl/v', ACL.OPEN_ACL_UNSAFE, -1);
  await c.set('/acl/v', 'x');
  await boss.close();
}

async function unknownScheme() {
  const bad = await Client.connect();
  bad.zk.addAuthInfo('nosuch', Buffer.from('x'));
  await bad.state('AUTH_FAILED');
}
