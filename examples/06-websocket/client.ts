/** Sends one text and prints the answer: `node examples/06-websocket/client.ts URL TEXT`. */
import { WebSocket } from 'ws';

const [url = 'ws://localhost:8080/', text = 'hello'] = process.argv.slice(2);
const socket = new WebSocket(url);
socket.on('open', () => {
  console.log('connected');
  socket.send(text);
});
socket.on('message', (data: Buffer) => {
  console.log(data.toString());
  socket.close(1000);
});
socket.on('close', (code) => console.log(`closed with code ${code}`));
socket.on('error', (error) => console.error(error.message));
