'use strict';
// node-zookeeper-client as a judge: every operation it has, then a crash of the server.

const { finish } = require('./checks');

(async () => {
  for (const part of ['nodes', 'watches', 'identities', 'sessions', 'survival']) await require('./' + part)();
  finish();
})();
