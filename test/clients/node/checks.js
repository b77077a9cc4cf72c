'use strict';
// Named checks, the harness's words, and promises around node-zookeeper-client's callbacks.

const assert = require('node:assert/strict');
const readline = require('node:readline');
const { createRequire } = require('node:module');

// The library is not beside this file but where scripts/install-peers.sh put it.
const zookeeper = createRequire(process.env.QUOLL_NODE + '/')('node-zookeeper-client');

const WAIT_MS = 60_000;
const SESSION_MS = 40_000; // lives through a restart of the server on a busy machine
const { QUOLL_SERVER: server, QUOLL_PROXY: proxy } = process.env;

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let made = 0, failed = 0;

/** Runs body; it fails by throwing. */
async function check(name, body) {
  made++;
  try {
    await body();
    console.log('ok', name);
  } catch (e) {
    failed++;
    const at = /\(?([^()\s]+\.js:\d+):\d+\)?$/m.exec((e.stack || '').split('\n').filter((l) => l.includes('clients/node') && !l.includes('checks.js')).join('\n'));
    console.log('FAIL', name, String(e.message || e).replaceAll('\n', ' '), at ? `(${at[1].split('/').pop()})` : '');
    console.error(e);
  }
}

function finish() {
  console.log('done', made);
  process.exit(failed ? 1 : 0);
}

/** Asks the harness to do something and waits until it is done. */
async function control(verb) {
  console.log('control', verb);
  assert.equal((await answers.next()).value, verb, "the harness's answer");
}

/** Refuses to wait forever. */
function within(promise, what) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('never: ' + what)), WAIT_MS);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** Values that come one by one. */
class Queue {
  #values = [];
  #takers = [];

  put(value) {
    const taker = this.#takers.shift();
    if (taker) taker(value);
    else this.#values.push(value);
  }

  take(what) {
    if (this.#values.length) return Promise.resolve(this.#values.shift());
    return within(new Promise((resolve) => this.#takers.push(resolve)), what);
  }

  get empty() {
    return this.#values.length === 0;
  }
}

/** A client whose calls are promises and whose states are kept. */
class Client {
  static async connect(address = server, timeout = SESSION_MS) {
    const c = new Client();
    c.zk = zookeeper.createClient(address, { sessionTimeout: timeout, spinDelay: 50, retries: 0 });
    c.states = new Queue();
    c.zk.on('state', (state) => c.states.put(state.getName()));
    c.zk.connect();
    await c.state('SYNC_CONNECTED');
    return c;
  }

  /** Waits for a state, dropping others before it. */
  async state(name) {
    while ((await this.states.take('state ' + name)) !== name);
  }

  /** Calls a method of the library; gives its one result, or all of them as an array. */
  call(method, ...args) {
    return within(new Promise((resolve, reject) => {
      this.zk[method](...args, (error, ...results) => (error ? reject(error) : resolve(results.length > 1 ? results : results[0])));
    }), method);
  }

  create(path, data, mode = zookeeper.CreateMode.PERSISTENT, acls = zookeeper.ACL.OPEN_ACL_UNSAFE) {
    return this.call('create', path, data === undefined ? undefined : Buffer.from(data), acls, mode);
  }

  set(path, data, version = -1) {
    return this.call('setData', path, data === null ? null : Buffer.from(data), version);
  }

  get(path, watcher) {
    return this.call('getData', path, ...(watcher ? [watcher] : []));
  }

  exists(path, watcher) {
    return this.call('exists', path, ...(watcher ? [watcher] : []));
  }

  children(path, watcher) {
    return this.call('getChildren', path, ...(watcher ? [watcher] : []));
  }

  remove(path, version = -1) {
    return this.call('remove', path, version);
  }

  get session() {
    return this.zk.getSessionId().toString('hex');
  }

  async close() {
    this.zk.close();
    await this.state('DISCONNECTED');
  }
}

/** A watcher: events.watch is handed to the library. */
class Events {
  queue = new Queue();
  watch = (event) => this.queue.put(event);

  async expect(type, path) {
    const event = await this.queue.take(`event ${type} ${path}`);
    assert.deepEqual([event.getName(), event.getPath()], [type, path]);
  }

  none() {
    assert.ok(this.queue.empty, 'an event that should not be');
  }
}

/** The server must answer with exactly this error. */
async function refused(name, promise) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.name, name);
    return true;
  });
}

/** A stat with its long fields as hexadecimal numbers, so that two can be compared. */
function plain(stat) {
  const out = {};
  for (const key of ['czxid', 'mzxid', 'pzxid', 'ctime', 'mtime', 'ephemeralOwner']) out[key] = stat[key].toString('hex');
  for (const key of ['version', 'cversion', 'aversion', 'dataLength', 'numChildren']) out[key] = stat[key];
  return out;
}

const long = (buffer) => buffer.readBigInt64BE();

module.exports = { assert, zookeeper, server, proxy, check, control, finish, refused, plain, long, Client, Events };
