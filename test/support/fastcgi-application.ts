/** A FastCGI application that takes several requests on one connection, and answers them as a test says. */
import type { TestContext } from 'node:test';
import { type ReadRecord, type ReadRequest, readRecords, record, requestFrom, TYPES } from './fastcgi.ts';
import { eventually, origin, type Peer, type ScriptedOrigin } from './scripted.ts';

/** One request that the application has in hand, and its answer. */
export class Asked {
  readonly request: ReadRequest;
  readonly id: number;
  readonly peer: Peer;
  aborted = false;

  constructor(request: ReadRequest, id: number, peer: Peer) {
    this.request = request;
    this.id = id;
    this.peer = peer;
  }

  get path(): string {
    return this.request.variables.get('PATH_INFO') ?? '';
  }

  /** Whole records of STDOUT. */
  stdout(text: string | Buffer): Buffer {
    return record(TYPES.stdout, text, 0, this.id);
  }

  ending(status = 0): Buffer {
    const content = Buffer.alloc(8);
    content[4] = status;
    return Buffer.concat([record(TYPES.stdout, '', 0, this.id), record(TYPES.end, content, 0, this.id)]);
  }

  head(): this {
    this.peer.send(this.stdout('Content-Type: text/plain\r\n\r\n'));
    return this;
  }

  say(text: string | Buffer): this {
    this.peer.send(this.stdout(text));
    return this;
  }

  end(status = 0): void {
    this.peer.send(this.ending(status));
  }

  answer(text: string): void {
    this.head().say(text).end();
  }
}

/** A name and a value of FCGI_GET_VALUES_RESULT. */
export function values(pairs: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(pairs).map(([name, value]) =>
    Buffer.from(String.fromCharCode(name.length, value.length) + name + value, 'latin1'),
  );
  return record(TYPES.getValuesResult, Buffer.concat(parts), 0, 0);
}

export interface Application extends ScriptedOrigin {
  readonly fastcgi: string;
  /** Requests in the order in which they were complete. */
  readonly asked: Asked[];
  /** Times it was asked what it can. */
  questions: number;
  /** The request for this path, once it has come. */
  for(path: string): Promise<Asked>;
}

/**
 * @param told what it answers when it is asked what it can; `null` nothing, `close` the end of the connection
 * @param answer is called with each complete request; `null` answers those for `/learn` only
 */
export async function multiplexing(
  t: TestContext,
  told: Readonly<Record<string, string>> | 'close' | null,
  answer?: (asked: Asked) => void,
): Promise<Application> {
  const asked: Asked[] = [];
  const made = await origin(t, async (peer) => {
    const open = new Map<number, ReadRecord[]>();
    for (;;) {
      const one = await nextRecord(peer);
      if (one.type === TYPES.getValues) {
        app.questions++;
        if (told === 'close') return peer.fin();
        if (told !== null) peer.send(values(told));
        continue;
      }
      if (one.type === TYPES.abort) {
        for (const other of asked) if (other.id === one.id && other.peer === peer) other.aborted = true;
        continue;
      }
      if (one.type === TYPES.begin) open.set(one.id, []);
      const records = open.get(one.id);
      if (records === undefined) throw new Error(`a record of type ${one.type} of request ${one.id}, which is over`);
      records.push(one);
      if (one.type !== TYPES.stdin || one.content.length > 0) continue;
      open.delete(one.id);
      const next = new Asked(requestFrom(records), one.id, peer);
      if (next.path === '/learn') {
        next.answer('learnt');
        continue;
      }
      asked.push(next);
      answer?.(next);
    }
  });
  const app: Application = Object.assign(made, {
    fastcgi: `fastcgi://127.0.0.1:${made.port}`,
    asked,
    questions: 0,
    async for(path: string) {
      const find = (): Asked | undefined => asked.find((one) => one.path === path);
      await eventually(() => find() !== undefined, `a request for ${path}`);
      return find() as Asked;
    },
  });
  return app;
}

async function nextRecord(peer: Peer): Promise<ReadRecord> {
  const head = await peer.bytes(8);
  const rest = await peer.bytes(head.charCodeAt(4) * 256 + head.charCodeAt(5) + head.charCodeAt(6));
  return readRecords(Buffer.from(head + rest, 'latin1')).records[0];
}
