/**
 * `npm start`: two small origins and sluice before them, all in this process. Prints what to try; then every line is a
 * request that was served. `PORT=9000 npm start` listens there.
 */
import { createSluice, type HookAnswer, type RunningSluice } from '../src/index.ts';
import { DemoOrigin } from './origin.ts';

/** How many ports above 8080 are tried. */
const TRIES = 20;

const origins = [new DemoOrigin('red'), new DemoOrigin('blue')];
for (const origin of origins) await origin.start();
const proxy = await startProxy();
endOnSignal(proxy);
process.stdout.write(introduction(proxy.addresses[0].replace('http://', '')));

/** On the port that was asked for; else on 8080, or the next free one. */
async function startProxy(): Promise<RunningSluice> {
  const wanted = process.env['PORT'];
  for (let port = wanted === undefined ? 8080 : Number(wanted); ; port++) {
    try {
      return await createSluice(
        {
          listen: `127.0.0.1:${port}`,
          upstreams: {
            app: {
              origins: origins.map(({ url }) => url),
              balance: 'round-robin',
              disableTime: { first: '500ms', most: '2s' },
              queue: { timeout: '10s' },
            },
          },
          log: { access: 'stdout' },
        },
        { onRequest: ({ path }) => control(path) },
      );
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (taken && wanted === undefined && port < 8080 + TRIES) continue;
      const why = taken ? `port ${port} is taken; choose another one: PORT=9000 npm start` : (error as Error).message;
      process.stderr.write(`demo: ${why}\n`);
      process.exit(1);
    }
  }
}

/** Requests below /demo/ are answered here and never reach an origin: they stop and start one. */
function control(path: string): Promise<HookAnswer> | undefined {
  const [, action, name] = /^\/demo\/(stop|start)\/(\w+)$/.exec(path) ?? [];
  const origin = origins.find((one) => one.name === name);
  if (origin === undefined) return undefined;
  const done = action === 'stop' ? origin.stop() : origin.start();
  return done.then(() => ({ status: 200, body: `${origin.name} is ${action === 'stop' ? 'stopped' : 'started'}\n` }));
}

function introduction(address: string): string {
  const width = 44;
  const tries: [command: string, about: string][] = [
    [`curl ${address}/`, 'the two take turns'],
    [`curl ${address}/demo/stop/red`, 'ends one of them; now ask again, as often as you like:'],
    [`curl ${address}/`, 'no request fails, blue answers all'],
    [`curl ${address}/demo/start/red`, 'it is back; in a moment the two take turns again'],
    [`curl -d hello ${address}/echo`, 'a POST; the body comes back'],
    [`curl -N ${address}/events`, 'server-sent events, each as it happens'],
    [`curl ${address}/slow`, 'two seconds; press Ctrl-C here meanwhile: it is still answered'],
  ];
  return `
sluice demo: a reverse proxy before two origins

  sluice   http://${address}
${origins.map(({ name, url }) => `  ${name.padEnd(8)} ${url}`).join('\n')}

Try in another terminal:

${tries.map(([command, about]) => `  ${command.padEnd(width)} ${about}`).join('\n')}

A WebSocket that echoes is at ws://${address}/socket. Ctrl-C ends the demo.
Below is the access log: one line per request, when it is over.

`;
}

function endOnSignal(running: RunningSluice): void {
  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) process.exit(1);
    ending = true;
    process.stdout.write('\ndemo: finishing what is in hand (again to end at once)\n');
    await running.close(3000);
    for (const origin of origins) await origin.stop();
    process.stdout.write('demo: ended\n');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end());
}
