/** Origins with moods, and a proxy of one or more threads before them whose transitions are counted. */
import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import type { TestContext } from 'node:test';
import { check, type ConfigInput, showProblems, type UpstreamInput } from '../../src/config/index.ts';
import type { Config } from '../../src/config/config.ts';
import type { OriginView } from '../../src/control/views.ts';
import type { Origin } from '../../src/core/origin.ts';
import { Sluice, type Surroundings } from '../../src/sluice.ts';
import { origin, type Message, type Peer, type ScriptedOrigin } from './scripted.ts';

/** A status, `reset` before any answer, `hang` without one, `cut` in the middle of the body, `hold` until `letGo`. */
export type Mood = number | 'reset' | 'hang' | 'cut' | 'hold';

export interface Moody {
  readonly url: string;
  readonly name: string;
  readonly self: ScriptedOrigin;
  mood: Mood;
  /** What requests for `/check` meet. */
  check: Mood;
  /** Requests that came, without `/check`. */
  asked: number;
  checked: number;
  /** Requests that are held. */
  readonly held: number;
  /** Answers the one that was held longest. */
  letGo(status?: number): void;
}

export async function moody(t: TestContext, mood: Mood = 200): Promise<Moody> {
  const held: ((status: number) => void)[] = [];
  const answer = async (peer: Peer, request: Message): Promise<void> => {
    const checking = request.target.startsWith('/check');
    if (checking) one.checked++;
    else one.asked++;
    // A request may bring its own mood along: `/200`, `/hold`.
    const own = request.target.slice(1);
    let now: Mood = checking ? one.check : one.mood;
    if (/^\d{3}$/.test(own)) now = Number(own);
    else if (own === 'hold') now = 'hold';
    if (now === 'hang') return;
    if (now === 'reset') return peer.reset();
    if (now === 'cut') {
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome');
      return peer.reset();
    }
    if (now === 'hold') now = await new Promise<number>((resolve) => held.push(resolve));
    peer.send(`HTTP/1.1 ${now} Said\r\nContent-Length: ${one.name.length}\r\n\r\n${one.name}`);
  };
  const self = await origin(t, async (peer) => {
    for (;;) {
      const request = await peer.request();
      if (request === undefined) return peer.fin();
      await answer(peer, request);
    }
  });
  const one: Moody = {
    url: self.url,
    name: `127.0.0.1:${self.port}`,
    self,
    mood,
    check: 200,
    asked: 0,
    checked: 0,
    get held() {
      return held.length;
    },
    letGo: (status = 200) => held.shift()?.(status),
  };
  return one;
}

export interface Stand {
  readonly sluice: Sluice;
  readonly port: number;
  /** The lines about origins: `origin-down app 127.0.0.1:1: why`. */
  readonly lines: string[];
  /** The lines about one origin, without its name: `down: why`. */
  of(one: Moody): string[];
  origin(one: Moody): Origin;
  view(one: Moody): Promise<OriginView>;
  /** `sluice_ejections_total` of one origin. */
  ejections(one: Moody): Promise<number>;
  /** `200 127.0.0.1:1`, or the error's code, over a connection of its own. */
  ask(target?: string): Promise<string>;
  /** Asks this often, one after the other; what is answered. */
  asks(count: number, target?: string): Promise<string[]>;
  /** Changes options of the upstream, and maybe its origins. */
  reload(upstream: Partial<UpstreamInput>): Promise<void>;
}

/** A proxy whose upstream `app` gets every request; `balance` is `first` unless said otherwise. */
export async function stand(
  t: TestContext,
  origins: UpstreamInput['origins'],
  upstream: Omit<UpstreamInput, 'origins'> = {},
  top: Omit<ConfigInput, 'upstreams' | 'log'> = {},
  surroundings: Surroundings = {},
): Promise<Stand> {
  let options: UpstreamInput = { balance: 'first', ...upstream, origins };
  const config = (): Config => {
    const input = { listen: '127.0.0.1:0', ...top, log: { access: 'off' as const }, upstreams: { app: options } };
    const { config: made, problems } = check(input);
    if (made === undefined) throw new Error(showProblems(problems));
    return made;
  };
  const lines: string[] = [];
  const errors: string[] = [];
  const say = (level: string, code: string, message: string): void => {
    if (code.startsWith('origin-')) lines.push(`${code} ${message}`);
    if (level === 'error' && !code.startsWith('thread-')) errors.push(`${code} ${message}`);
  };
  const sluice = new Sluice(config(), { messages: { say }, ...surroundings });
  await sluice.open();
  t.after(async () => {
    await sluice.close(0);
    assert.deepEqual(errors, []);
    for (const one of sluice.shared.origins.get('app') ?? []) assert.equal(one.inFlight, 0, `${one.name} in flight`);
    assert.equal(sluice.shared.waiting('app'), 0, 'requests still wait');
  });
  const port = Number(new URL(sluice.addresses[0]).port);
  const ask = (target = '/'): Promise<string> =>
    new Promise((resolve) => {
      const asked = httpRequest({ port, host: '127.0.0.1', path: target, agent: new Agent() }, (answer) => {
        let text = '';
        answer.setEncoding('latin1').on('data', (part: string) => (text += part));
        answer.on('end', () => resolve(answer.statusCode === 200 ? text : `${answer.statusCode}`));
        answer.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
      });
      asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error')).end();
    });
  return {
    sluice,
    port,
    lines,
    of: (one) =>
      lines
        .filter((line) => line.includes(` app ${one.name}: `))
        .map((line) => line.replace(`origin-`, '').replace(` app ${one.name}`, '')),
    origin: (one) => sluice.shared.origins.get('app')?.find(({ name }) => name === one.name) as Origin,
    async view(one) {
      const [app] = await sluice.operator.upstreams();
      return app.origins.find(({ name }) => name === one.name) as OriginView;
    },
    async ejections(one) {
      const text = await sluice.operator.metrics();
      const line = text
        .split('\n')
        .find((each) => each.startsWith('sluice_ejections_total') && each.includes(`"${one.name}"`));
      return Number(line?.split(' ').at(-1));
    },
    ask,
    async asks(count, target) {
      const answers: string[] = [];
      for (let i = 0; i < count; i++) answers.push(await ask(target));
      return answers;
    },
    async reload(changes) {
      options = { ...options, ...changes };
      await sluice.reload(config());
    },
  };
}
