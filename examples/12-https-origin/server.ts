/** A server over TLS with a certificate of its own making: `node examples/12-https-origin/server.ts PORT FILE`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [port = '3001', file = '/tmp/sluice-example.pem'] = process.argv.slice(2);
const key = `${file}.key`;
const names = 'subjectAltName=DNS:app.example';
const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '7'];
execFileSync('openssl', [...words, '-subj', '/CN=app', '-addext', names, '-keyout', key, '-out', file], {
  stdio: 'ignore',
});

const server = createServer({ cert: readFileSync(file), key: readFileSync(key) }, (request, response) => {
  response.end(`app answers ${request.url} over ${'encrypted' in request.socket ? 'TLS' : 'TCP'}\n`);
});
server.listen(Number(port), '127.0.0.1', () => console.log(`app listens on ${port}`));
