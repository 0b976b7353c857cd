// A Node application that listens on PORT. What it does is in the query.
const { createHash } = require('node:crypto');
const { createServer } = require('node:http');

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://a');
  const send = (text) => response.writeHead(200, { 'Content-Length': text.length }).end(text);
  switch (searchParams.get('do')) {
    case 'sum': {
      const digest = createHash('sha256');
      let size = 0;
      request.on('data', (piece) => {
        digest.update(piece);
        size += piece.length;
      });
      request.on('end', () => send(`${size} ${digest.digest('hex')}`));
      return;
    }
    case 'big': {
      const count = Number(searchParams.get('n'));
      if (searchParams.has('length')) response.setHeader('Content-Length', count * 65_536);
      let i = 0;
      const more = () => {
        while (i < count) if (!response.write(Buffer.alloc(65_536, i++ % 256))) return response.once('drain', more);
        return response.end();
      };
      return more();
    }
    case 'early':
      return response.writeHead(403, { 'Content-Length': 5 }).end('early');
    case 'error':
      return response.writeHead(500).end();
    case 'die':
      response.writeHead(200, { 'Content-Length': 5000 }).write('x'.repeat(1000));
      return setTimeout(() => process.kill(process.pid, 'SIGKILL'), 200);
    case 'fields':
      return response
        .writeHead(299, 'Odd Enough', { 'Set-Cookie': ['a=1', 'b=2'], 'X-Odd': 'caf\xe9 "x"', 'Content-Length': 0 })
        .end();
    case 'slow':
      return setTimeout(() => send(searchParams.get('n')), 400);
    case 'who': {
      const { host = '', 'x-twice': twice = '', cookie = '' } = request.headers;
      return send([request.method, pathname, request.socket.remoteAddress, host, twice, cookie, 'http'].join('\n'));
    }
    default:
      send(process.env.NAME ?? 'hello');
  }
}).listen(process.env.PORT, '127.0.0.1', () => process.stdout.write('listening\n'));
