// An application as it is often written: it listens where PORT, or SOCKET, says.
const { createServer } = require('node:http');
const { NAME = 'page', PORT, SOCKET } = process.env;

const server = createServer((request, response) => {
  if (request.url === '/crash') process.exit(1);
  setTimeout(() => response.end(`${NAME} ${request.url}\n`), request.url.startsWith('/reports') ? 300 : 0);
});
server.listen(SOCKET ? { path: SOCKET } : { host: '127.0.0.1', port: PORT });
