import assert from 'node:assert/strict';
import { request } from 'node:http';
import test, { type TestContext } from 'node:test';
import { systemClock } from '../core/clock.ts';
import type { Exchange } from '../core/exchange.ts';
import { Networks } from '../core/networks.ts';
import { Wheel } from '../core/wheel.ts';
import { Listener } from './listener.ts';

const limits = {
  head: 16_384,
  fields: 100,
  target: 8192,
  underscores: false,
  body: Infinity,
  requests: 1000,
  connections: 100,
  connectionsPerAddress: Infinity,
  streams: 100,
  streamWindow: 262_144,
  window: 65_536,
};
const timeouts = { head: 5000, body: 5000, write: 5000, keepAlive: 5000, tunnel: 5000 };

/** A listener that answers every request with the length of its body. */
async function counting(t: TestContext, plainSockets: boolean): Promise<number> {
  const wheel = new Wheel(systemClock);
  const listener = new Listener(
    {
      name: 'test',
      address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      limits,
      timeouts,
      http2: true,
      trusted: new Networks([]),
      plainSockets,
    },
    {
      clock: systemClock,
      wheel,
      handle: (exchange: Exchange) => {
        let bytes = 0;
        const sink = {
          body: (_: Buffer, start: number, end: number) => void (bytes += end - start),
          end: () => exchange.front.respond(200, '', String(bytes)),
          flush: () => true,
        };
        if (exchange.request.framing === 'none') sink.end();
        else exchange.front.readBody(sink);
      },
      done: () => {},
      refused: () => {},
      defect: (error) => assert.fail(String(error)),
    },
  );
  await listener.open();
  t.after(async () => {
    const drained = listener.drain();
    listener.abort();
    await drained;
    wheel.close();
  });
  return listener.port;
}

function post(port: number, length: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', method: 'POST', agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('latin1').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(text));
    });
    asked.on('error', reject);
    asked.end(Buffer.alloc(length, 'x'));
  });
}

// Both ways into the same connection: Node may one day hide the handles that the first one takes.
for (const plainSockets of [false, true]) {
  test(`takes connections ${plainSockets ? "as Node's own sockets" : 'by their handles'}`, async (t) => {
    const port = await counting(t, plainSockets);
    assert.equal(await post(port, 0), '0');
    assert.equal(await post(port, 1000), '1000');
    assert.equal(await post(port, 3_000_000), '3000000');
    assert.deepEqual(await Promise.all([post(port, 70_000), post(port, 5)]), ['70000', '5']);
  });
}
