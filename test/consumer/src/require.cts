import upsync = require('upsync');
import discovery = require('upsync/discovery');
import engine = require('upsync/upsync');
import motan = require('upsync/motan');

const dispatcher: upsync.UpsyncDispatcher = new upsync.UpsyncDispatcher({
  upstream: 'users',
  servers: [upsync.createServer('127.0.0.1:80')],
});
void dispatcher.close();
console.log(
  [upsync.createUpstream, discovery.openSource, engine.createSync, motan.createResolver]
    .map((entry) => typeof entry)
    .join(' '),
);
