// A Node application that listens on PORT. What it does is in the query.
const { createHash } = require('node:crypto');
const { createServer } = require('node:http');

createServer((request, response) => {
  const query = new URL(request.url, 'http://a').searchParams;
  const send = (text) => response.end(text);
  switch (query.get('do')) {
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
    case 'big':
      for (let i = 0; i < Number(query.get('n')); i++) response.write(Buffer.alloc(65_536, i % 256));
      return response.end();
    case 'slow':
      return setTimeout(() => send(query.get('n')), 300);
    default:
      send(process.env.NAME ?? 'hello');
  }
}).listen(process.env.PORT, '127.0.0.1', () => process.stdout.write('listening\n'));
