/** A `Control` without a proxy behind it: it keeps what it is told, and fails as it is told. For the admin interface's tests. */
import { ControlError, type Control, type NewOrigin, type OriginChange } from '../../src/control/control.ts';
import type { Config } from '../../src/config/config.ts';
import type {
  Explanation,
  OriginView,
  PlanView,
  PoolView,
  RecordView,
  Status,
  UpstreamView,
  WaitingView,
} from '../../src/control/views.ts';

const START = '2026-11-21T10:00:00.000Z';
const NONE = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, none: 0 };

function originView(name: string, some: Partial<OriginView> = {}): OriginView {
  return {
    name,
    address: name,
    url: name.startsWith('unix:') ? name : `http://${name}`,
    tls: null,
    source: 'config',
    child: null,
    state: 'up',
    reason: '',
    since: START,
    until: null,
    weight: 1,
    effectiveWeight: 1,
    backup: false,
    maxConnections: null,
    inFlight: 2,
    connections: 3,
    idle: 1,
    failures: 0,
    requests: 1000,
    answers: { ...NONE, '2xx': 990, '5xx': 10 },
    errors: 4,
    latency: { p50: 1.5, p90: 12, p99: 250 },
    check: null,
    override: null,
    ...some,
  };
}

const PLAN: PlanView = {
  changes: [
    { action: 'add', what: 'origin', name: 'app 127.0.0.1:3002', options: '', connections: null },
    { action: 'remove', what: 'listener', name: 'inside', options: '', connections: 3 },
    { action: 'change', what: 'upstream', name: 'app', options: 'queue, timeouts', connections: 0 },
  ],
};

const POOL: PoolView = {
  name: 'workers',
  state: 'running',
  reason: 'workers.1 (pid 4711) ended with code 1 after 3s',
  wanted: 2,
  children: { starting: 1, ready: 2, draining: 0, ending: 0 },
  starts: 4,
  crashes: 1,
  restarts: { crash: 1 },
};

const RECORD: RecordView = {
  id: 'abc123-7',
  at: START,
  why: 'error',
  method: 'GET',
  host: 'example.org',
  target: '/slow?x=1',
  client: '192.0.2.7',
  listener: '*:8080',
  route: '#1',
  upstream: 'app',
  origin: '127.0.0.1:3000',
  status: 502,
  error: 'connect-refused',
  detail: 'ECONNREFUSED',
  attempts: 2,
  queue: 0,
  connect: 1.25,
  first: null,
  total: 31.5,
  ledger: ['127.0.0.1:3000 connect-refused ECONNREFUSED', '127.0.0.1:3001 connect-refused ECONNREFUSED'],
};

const EXPLANATION: Explanation = {
  method: 'GET',
  url: '/x',
  listener: '*:8080',
  client: '127.0.0.1',
  routes: [
    { name: 'old', matches: false, why: ['path is "/x", not "/old/*"'] },
    { name: '#2', matches: true, why: [] },
  ],
  action: 'upstream',
  status: null,
  error: null,
  location: null,
  rewrites: ['+ X-Forwarded-For: 127.0.0.1'],
  authorize: null,
  variables: [],
  upstream: 'app',
  balance: 'random-two',
  key: '',
  origins: [
    {
      name: '127.0.0.1:3000',
      address: '127.0.0.1:3000',
      child: null,
      weight: 1,
      state: 'up',
      inFlight: 2,
      usable: true,
      why: '',
    },
    {
      name: 'unix:/run/app.sock',
      address: 'fastcgi+unix:/run/app.sock',
      child: 'app.1 (pid 4711)',
      weight: 2,
      state: 'down',
      inFlight: 0,
      usable: false,
      why: 'it is down',
    },
  ],
  pick: '127.0.0.1:3000',
  tls: null,
  because: 'it is the only usable one',
  timeouts: { 'origin.connect': 3000, 'origin.firstByte': null },
  retries: ['a failed connect: any method goes on to another origin'],
};

export class FakeControl implements Control {
  /** Every change that came, as text; also those that were then refused. */
  readonly calls: string[] = [];
  /** Runs before each change: to make it slow, or fail. */
  before: () => Promise<void> | void = () => {};
  /** Changes at work now, and most at once. */
  busy = 0;
  mostBusy = 0;
  secret = '';
  pid: number = process.pid;
  plans: PlanView = PLAN;
  readonly pools: Map<string, OriginView[]> = new Map([
    [
      'app',
      [
        originView('127.0.0.1:3000'),
        originView('unix:/run/app.sock', {
          state: 'down',
          reason: 'ECONNREFUSED',
          until: START,
          weight: 2,
          requests: 0,
          latency: { p50: null, p90: null, p99: null },
        }),
      ],
    ],
    ['static files', [originView('[::1]:4000', { check: { healthy: true, detail: '200', at: START } })]],
  ]);

  status(): Promise<Status> {
    return Promise.resolve({
      version: '0.1.0',
      node: process.version,
      pid: this.pid,
      started: START,
      state: 'running',
      file: 'sluice.config.yaml',
      loaded: START,
      refused: null,
      memory: 64_000_000,
      threads: [
        { id: 0, state: 'serving', restarts: 0, connections: 4, inFlight: 2, requests: 600 },
        { id: 1, state: 'serving', restarts: 1, connections: 3, inFlight: 1, requests: 400 },
      ],
      listeners: [{ name: '*:8080', address: 'http://127.0.0.1:8080', connections: 7, opened: 100, refused: 0 }],
    });
  }

  config(): Promise<Config> {
    return Promise.resolve({ admin: { token: this.secret }, limits: { body: Infinity } } as unknown as Config);
  }

  upstreams(): Promise<UpstreamView[]> {
    return Promise.resolve(
      [...this.pools].map(([name, origins]) => ({
        name,
        balance: 'random-two',
        queue: { length: 1, size: 1024, oldest: 1500 },
        inFlight: 2,
        requests: 1000,
        answers: { ...NONE, '2xx': 990, '5xx': 10 },
        retries: 3,
        latency: { p50: 1.5, p90: 12, p99: 250 },
        origins,
        pools: name === 'app' ? [POOL] : [],
      })),
    );
  }

  addOrigin(upstream: string, origin: NewOrigin, ttl: number | undefined, who: string): Promise<OriginView> {
    return this.#change(`add ${upstream} ${JSON.stringify(origin)} ${ttl} ${who}`, () => {
      const all = this.#pool(upstream);
      if (all.some(({ name }) => name === origin.url)) {
        throw new ControlError('conflict', `${origin.url} is in ${upstream} already`);
      }
      const made = originView(origin.url, { source: 'admin', override: { added: true, until: 'reload' } });
      all.push(made);
      return made;
    });
  }

  changeOrigin(
    upstream: string,
    origin: string,
    change: OriginChange,
    ttl: number | undefined,
    who: string,
  ): Promise<OriginView> {
    return this.#change(`change ${upstream} ${origin} ${JSON.stringify(change)} ${ttl} ${who}`, () => {
      const all = this.#pool(upstream);
      const index = this.#find(all, upstream, origin);
      const { state, weight } = change;
      const override = {
        ...(state === 'draining' ? { state } : {}),
        ...(weight === undefined ? {} : { weight }),
        until: ttl === undefined ? ('reload' as const) : START,
      };
      all[index] = {
        ...all[index],
        ...(state === undefined ? {} : { state }),
        weight: weight ?? all[index].weight,
        override,
      };
      return all[index];
    });
  }

  removeOrigin(upstream: string, origin: string, ttl: number | undefined, who: string): Promise<void> {
    return this.#change(`remove ${upstream} ${origin} ${ttl} ${who}`, () => {
      const all = this.#pool(upstream);
      all.splice(this.#find(all, upstream, origin), 1);
    });
  }

  restart(upstream: string, who: string): Promise<PoolView[]> {
    return this.#change(`restart ${upstream} ${who}`, () => {
      this.#pool(upstream);
      if (upstream !== 'app') throw new ControlError('conflict', `${upstream} has nothing to restart`);
      return [POOL];
    });
  }

  reload(text: string | undefined, who: string): Promise<PlanView> {
    return this.#change(`reload ${JSON.stringify(text)} ${who}`, () => {
      if (text?.includes('wrong') === true) {
        throw new ControlError('invalid', 'the config is wrong, nothing was changed', ['1:1: first', '2:1: second']);
      }
      return this.plans;
    });
  }

  plan(text: string): Promise<PlanView> {
    if (text.includes('wrong'))
      return Promise.reject(new ControlError('invalid', 'the config is wrong', ['1:1: first']));
    return Promise.resolve(this.plans);
  }

  async waiting(upstream: string, most: number): Promise<WaitingView[]> {
    await Promise.resolve();
    this.#pool(upstream);
    const one = {
      id: 'abc123-9',
      method: 'GET',
      host: 'example.org',
      target: '/a\u001b[2J',
      client: '192.0.2.7',
      waited: 1500,
      left: 28_500,
    };
    return [one, { ...one, id: 'abc123-a' }].slice(0, most);
  }

  records(most: number): Promise<RecordView[]> {
    return Promise.resolve([RECORD, { ...RECORD, id: 'abc123-8', why: 'slow' as const, error: '' }].slice(0, most));
  }

  record(id: string): Promise<RecordView> {
    if (id === RECORD.id) return Promise.resolve(RECORD);
    return Promise.reject(new ControlError('not-found', `no request ${JSON.stringify(id)} is remembered`));
  }

  explain(
    method: string,
    url: string,
    fields: readonly (readonly [string, string])[],
    client = '127.0.0.1',
  ): Promise<Explanation> {
    this.calls.push(`explain ${method} ${url} ${JSON.stringify(fields)} ${client}`);
    return Promise.resolve({ ...EXPLANATION, method, url, client });
  }

  metrics(): Promise<string> {
    return Promise.resolve('# TYPE sluice_up gauge\nsluice_up 1\n');
  }

  async #change<Made>(call: string, run: () => Made): Promise<Made> {
    this.calls.push(call);
    this.mostBusy = Math.max(this.mostBusy, ++this.busy);
    try {
      await this.before();
      return run();
    } finally {
      this.busy--;
    }
  }

  #pool(name: string): OriginView[] {
    const all = this.pools.get(name);
    if (all === undefined) throw new ControlError('not-found', `no upstream is named ${JSON.stringify(name)}`);
    return all;
  }

  #find(all: readonly OriginView[], upstream: string, name: string): number {
    const index = all.findIndex((one) => one.name === name);
    if (index < 0) throw new ControlError('not-found', `${upstream} has no origin ${JSON.stringify(name)}`);
    return index;
  }
}
