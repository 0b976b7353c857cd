/** A WebSocket server that sends back what it gets: `node examples/06-websocket/echo.ts PORT`. */
import { WebSocketServer } from 'ws';

const [port = '3001'] = process.argv.slice(2);
const server = new WebSocketServer({ port: Number(port), host: '127.0.0.1' });
server.on('connection', (socket) => {
  socket.on('error', (error) => console.log(error.message));
  socket.on('message', (data: Buffer) => socket.send(`echo: ${data.toString()}`));
});
server.on('listening', () => console.log(`echo listens on ${port}`));
