import assert from 'node:assert/strict';
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { connect as connectSecurely, createServer as createSecureServer } from 'node:tls';
import { authority } from '../../test/support/certificates.ts';
import { eventually, sleep } from '../../test/support/scripted.ts';
import type { WireOwner } from '../core/wire.ts';
import { type Block, BLOCK_SIZE, blockOf, holdBlock, releaseBlock, sharedBuffer, takeBlock } from './blocks.ts';
import { Wire } from './wire.ts';

/** Writes down what it hears. */
class Ear implements WireOwner {
  /** Bytes received, as latin1. */
  text = '';
  readonly events: string[] = [];
  /** The memory that each read lay in. */
  readonly memory: Buffer[] = [];
  more = true;
  onReceived: (buffer: Buffer, length: number) => void = () => {};

  received(buffer: Buffer, length: number): boolean {
    this.text += buffer.latin1Slice(0, length);
    this.memory.push(buffer);
    this.onReceived(buffer, length);
    return this.more;
  }

  ended(): void {
    this.events.push('ended');
  }

  flushed(): void {
    this.events.push('flushed');
  }

  closed(error: NodeJS.ErrnoException | null): void {
    this.events.push(`closed ${error?.code ?? ''}`.trim());
  }

  defect(error: unknown): void {
    this.events.push(`defect ${error instanceof Error ? error.message : ''}`);
  }
}

interface Pair {
  readonly wire: Wire;
  readonly ear: Ear;
  /** The other end, on a plain socket. */
  readonly peer: Socket;
}

/** A wire that has dialled, and the socket it reached. The peer reads only when told to. */
async function pair(t: TestContext): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const ear = new Ear();
  const wire = new Wire(ear);
  const { port } = server.address() as { port: number };
  const options = { port, host: '127.0.0.1', onread: wire.readInto(), allowHalfOpen: true, noDelay: true };
  const socket = connect(options as NetConnectOpts);
  wire.attach(socket, false);
  await new Promise((resolve) => socket.once('connect', resolve));
  const peer = await accepted;
  peer.on('error', () => {});
  t.after(() => {
    server.close();
    peer.destroy();
    socket.destroy();
  });
  return { wire, ear, peer };
}

/** The same over TLS; `undefined` without openssl. */
async function securePair(t: TestContext): Promise<Pair | undefined> {
  const issued = authority(t)?.own;
  if (issued === undefined) return undefined;
  const server = createSecureServer({ ...issued.pem, allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('secureConnection', resolve));
  const ear = new Ear();
  const wire = new Wire(ear);
  const { port } = server.address() as { port: number };
  const socket = connectSecurely({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    onread: wire.readInto(),
  } as never);
  wire.attach(socket, false);
  const [peer] = await Promise.all([accepted, new Promise((resolve) => socket.once('secureConnect', resolve))]);
  peer.on('error', () => {});
  t.after(() => {
    server.close();
    peer.destroy();
    socket.destroy();
  });
  return { wire, ear, peer };
}

/** Everything a socket receives from now on. */
function listenTo(peer: Socket): { text: string; ended: boolean } {
  const heard = { text: '', ended: false };
  peer.on('data', (chunk: Buffer) => (heard.text += chunk.latin1Slice()));
  peer.on('end', () => (heard.ended = true));
  peer.resume();
  return heard;
}

/** Counts the writes that a wire makes. */
function countWrites(t: TestContext, wire: Wire): { readonly count: number } {
  const write = t.mock.method(wire.socket, '_write');
  const writev = t.mock.method(wire.socket, '_writev' as never);
  return {
    get count() {
      return write.mock.callCount() + (writev as typeof write).mock.callCount();
    },
  };
}

const pattern = (length: number, from = 0): string =>
  Buffer.from(Array.from({ length }, (_, i) => (i + from) * 7 + ((i + from) >> 8))).latin1Slice();

/** Writes of more than the kernel takes, until it takes no more. */
function fill(wire: Wire): number {
  const piece = Buffer.alloc(1_000_000, 'x');
  let total = 0;
  do {
    wire.bytes(piece, 0, piece.length);
    total += piece.length;
  } while (wire.flush());
  return total;
}

describe('wire', () => {
  test('text and short bytes leave in one write, in order, one byte per character', async (t) => {
    const { wire, peer } = await pair(t);
    const heard = listenTo(peer);
    const writes = countWrites(t, wire);
    wire.text('head \u00ff\u0000 ');
    wire.bytes(Buffer.from('--body--'), 2, 6);
    wire.text(' tail');
    assert.equal(writes.count, 0, 'nothing leaves before the flush');
    assert.equal(wire.flush(), true);
    assert.equal(writes.count, 1);
    wire.flush();
    assert.equal(writes.count, 1, 'an empty flush writes nothing');
    await eventually(() => heard.text.length >= 16, 'the bytes');
    assert.equal(heard.text, 'head \u00ff\u0000 body tail');
  });

  test('long bytes of the shared memory are copied: it is read into again at once', async (t) => {
    const { wire, peer } = await pair(t);
    const expected = pattern(60_000);
    sharedBuffer.write(expected, 100, 'latin1');
    wire.text('head');
    wire.bytes(sharedBuffer, 100, 60_100);
    wire.text('tail');
    fill(wire);
    sharedBuffer.fill(0);
    const heard = listenTo(peer);
    await eventually(() => heard.text.length > 60_008, 'the bytes');
    assert.ok(heard.text.startsWith(`head${expected}tailxxx`));
  });

  test('bytes of a block are not copied: it is held until they are out', async (t) => {
    const { wire, peer } = await pair(t);
    const block = takeBlock();
    const expected = pattern(BLOCK_SIZE);
    block.bytes.write(expected, 'latin1');
    fill(wire);
    wire.bytes(block.bytes, 0, BLOCK_SIZE);
    wire.bytes(block.bytes, 0, 20_000);
    wire.flush();
    assert.equal(block.holders, 3);
    releaseBlock(block);
    await sleep(20);
    assert.equal(block.holders, 2);
    const heard = listenTo(peer);
    await eventually(() => block.holders === 0, 'the block is free');
    await eventually(() => heard.text.endsWith(expected + expected.slice(0, 20_000)), 'the bytes');
  });

  test('a wire that is destroyed lets go of its blocks, whether their writes had begun or not', async (t) => {
    for (const flushed of [true, false]) {
      const { wire, ear } = await pair(t);
      const block = takeBlock();
      fill(wire);
      wire.bytes(block.bytes, 0, BLOCK_SIZE);
      if (flushed) wire.flush();
      assert.equal(block.holders, 2);
      wire.destroy();
      await eventually(() => ear.events.includes('closed'), 'closed');
      await eventually(() => block.holders === 1, 'only our own hold is left');
      wire.bytes(block.bytes, 0, BLOCK_SIZE);
      wire.text('nobody reads this');
      assert.equal(wire.flush(), true);
      assert.equal(block.holders, 1, 'a dead wire takes nothing');
      releaseBlock(block);
    }
  });

  test('flush is false while bytes wait, and made good exactly once', async (t) => {
    const { wire, ear, peer } = await pair(t);
    const total = fill(wire);
    assert.equal(wire.flush(), false);
    assert.ok(wire.queued > 0);
    await sleep(30);
    assert.deepEqual(ear.events, []);
    const heard = listenTo(peer);
    await eventually(() => ear.events.length > 0, 'flushed');
    assert.equal(wire.queued, 0);
    await eventually(() => heard.text.length === total, 'all bytes');
    assert.deepEqual(ear.events, ['flushed']);
    wire.text('more');
    assert.equal(wire.flush(), true);
    await eventually(() => heard.text.length === total + 4, 'the rest');
    assert.deepEqual(ear.events, ['flushed']);
  });

  test('reads land in the shared memory; with bulk in blocks, a fresh one while the last is held', async (t) => {
    const { wire, ear, peer } = await pair(t);
    const say = async (text: string): Promise<Buffer> => {
      const count = ear.memory.length;
      peer.write(text);
      await eventually(() => ear.memory.length > count, text);
      return ear.memory[count];
    };
    assert.equal((await say('short')).buffer, sharedBuffer.buffer);
    wire.bulk = true;
    // The memory for a read is chosen when the one before ends.
    await say('switches');
    const first = await say('first');
    const block = blockOf(first) as Block;
    assert.ok(block !== undefined);
    assert.equal(await say('again'), first, 'nobody holds it: used again');
    holdBlock(block);
    await say('held while this is read');
    const other = await say('elsewhere');
    assert.notEqual(other, first);
    assert.ok(blockOf(other) !== undefined);
    releaseBlock(block);
    wire.bulk = false;
    await say('switches back');
    assert.equal((await say('short again')).buffer, sharedBuffer.buffer);
    assert.equal(blockOf(other)?.holders, 0);
    assert.equal(ear.text, 'shortswitchesfirstagainheld while this is readelsewhereswitches backshort again');
  });

  test('a block that is being read into is free once the wire is closed', async (t) => {
    const { wire, ear, peer } = await pair(t);
    wire.bulk = true;
    for (const text of ['a', 'b', 'c']) {
      const count = ear.text.length;
      peer.write(text);
      await eventually(() => ear.text.length > count, text);
    }
    const block = blockOf(ear.memory[2]);
    assert.equal(block?.holders, 1);
    wire.destroy();
    await eventually(() => ear.events.includes('closed'), 'closed');
    assert.equal(block?.holders, 0);
  });

  test('an owner that has enough hears nothing until it resumes', async (t) => {
    const { wire, ear, peer } = await pair(t);
    ear.more = false;
    peer.write('one');
    await eventually(() => ear.text === 'one', 'one');
    peer.write('two');
    await sleep(30);
    assert.equal(ear.text, 'one');
    ear.more = true;
    wire.resume();
    await eventually(() => ear.text === 'onetwo', 'two');
    wire.pause();
    peer.write('three');
    await sleep(30);
    assert.equal(ear.text, 'onetwo');
    wire.resume();
    await eventually(() => ear.text === 'onetwothree', 'three');
  });

  test('half-close: after our end the peer still speaks, after its end we do', async (t) => {
    const { wire, ear, peer } = await pair(t);
    const heard = listenTo(peer);
    wire.text('last');
    wire.end();
    await eventually(() => heard.ended, 'the end');
    assert.equal(heard.text, 'last');
    peer.write('still');
    await eventually(() => ear.text === 'still', 'still');
    peer.end();
    await eventually(() => ear.events.includes('closed'), 'closed');
    assert.deepEqual(ear.events, ['ended', 'closed']);

    const other = await pair(t);
    const otherHeard = listenTo(other.peer);
    other.peer.end('q');
    await eventually(() => other.ear.events.includes('ended'), 'ended');
    other.wire.text('a');
    other.wire.finish();
    await eventually(() => otherHeard.ended, 'the end');
    assert.equal(otherHeard.text, 'a');
    await eventually(() => other.ear.events.includes('closed'), 'closed');
  });

  test('after its end a flush is made good when all is out', async (t) => {
    const { wire, ear, peer } = await pair(t);
    wire.bytes(Buffer.alloc(20_000_000, 'x'), 0, 20_000_000);
    wire.end();
    assert.equal(wire.flush(), false);
    const heard = listenTo(peer);
    await eventually(() => heard.ended && ear.events.includes('flushed'), 'all is out');
    assert.deepEqual([heard.text.length, ear.events], [20_000_000, ['flushed']]);
  });

  test('an end before there is a socket is sent when there is one; a destroyed wire needs none', async () => {
    const ear = new Ear();
    const early = new Wire(ear);
    early.end();
    const socket = new PassThrough();
    socket.resume();
    early.attach(socket as never, true);
    await eventually(() => ear.events.includes('closed'), 'both sides have ended');
    assert.deepEqual(ear.events, ['ended', 'closed']);
    const never = new Wire(new Ear());
    never.destroy(true);
    assert.equal(never.dead, true);
  });

  test('finish closes when everything is out, not before', async (t) => {
    const { wire, ear, peer } = await pair(t);
    const total = fill(wire);
    wire.finish();
    await sleep(30);
    assert.equal(wire.dead, false);
    const heard = listenTo(peer);
    await eventually(() => heard.ended && ear.events.includes('closed'), 'closed');
    assert.equal(heard.text.length, total);
    assert.ok(wire.dead);
  });

  test('a reset, theirs and ours, is told; closed comes once, and nothing after it', async (t) => {
    const theirs = await pair(t);
    theirs.peer.resetAndDestroy();
    await eventually(() => theirs.ear.events.length > 0, 'closed');
    assert.deepEqual(theirs.ear.events, ['closed ECONNRESET']);
    assert.ok(theirs.wire.dead);
    theirs.wire.destroy();
    theirs.wire.end();
    theirs.wire.finish();
    theirs.wire.resume();
    await sleep(20);
    assert.deepEqual(theirs.ear.events, ['closed ECONNRESET']);

    const ours = await pair(t);
    let code = '';
    ours.peer.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? ''));
    ours.peer.resume();
    ours.wire.destroy(true);
    assert.ok(ours.wire.dead);
    await eventually(() => code !== '', 'the reset arrives');
    assert.equal(code, 'ECONNRESET');
    assert.deepEqual(ours.ear.events, ['closed']);
  });

  test('to close a socket in peace the system is not asked who is at its other end', async (t) => {
    const { wire, ear } = await pair(t);
    let asked = 0;
    Object.defineProperty(wire.socket, 'remoteFamily', { get: () => (asked++, 'IPv4') });
    wire.destroy();
    await eventually(() => ear.events.includes('closed'), 'closed');
    assert.equal(asked, 0);
  });

  test('over TLS short writes count as taken, and long ones only when they are out', async (t) => {
    const made = await securePair(t);
    if (made === undefined) return;
    const { wire, ear, peer } = made;
    const writes = countWrites(t, wire);
    for (const text of ['a', 'b', 'c']) {
      wire.text(text);
      assert.equal(wire.flush(), true);
    }
    // In one turn: the first write is on its way, and the others wait for it in one piece.
    const heard = listenTo(peer);
    await eventually(() => heard.text === 'abc', 'the bytes');
    assert.ok(writes.count <= 3, `${writes.count} writes`);
    assert.deepEqual(ear.events, []);
    wire.bytes(Buffer.alloc(30_000_000, 'x'), 0, 30_000_000);
    assert.equal(wire.flush(), false);
    await eventually(() => ear.events.includes('flushed') && heard.text.length === 30_000_003, 'all is out');
  });

  test('over TLS finish closes when everything is out, however little that is', async (t) => {
    const made = await securePair(t);
    if (made === undefined) return;
    const { wire, ear, peer } = made;
    const heard = listenTo(peer);
    wire.text('the last');
    wire.finish();
    await eventually(() => heard.ended && ear.events.includes('closed'), 'closed');
    assert.equal(heard.text, 'the last');
  });

  test('cut while its FIN is under way: it is closed all the same', async (t) => {
    // In the same turn, and in each step of it in which the FIN may be on its way to the kernel.
    for (const soon of [false, true]) {
      const { wire, ear } = await pair(t);
      wire.text('last words');
      wire.end();
      if (soon) await new Promise<void>((resolve) => process.nextTick(resolve));
      wire.destroy(true);
      await eventually(() => ear.events.some((one) => one.startsWith('closed')), 'closed');
    }
  });

  test('an owner that throws is told of, and its connection cut, once', async (t) => {
    const { ear, peer, wire } = await pair(t);
    ear.onReceived = () => {
      throw new Error('bug');
    };
    peer.write('x');
    peer.write('y');
    await eventually(() => ear.events.includes('closed'), 'closed');
    assert.deepEqual(ear.events, ['defect bug', 'closed']);
    assert.ok(wire.dead);
  });

  test('another owner takes over what comes next', async (t) => {
    const { wire, ear, peer } = await pair(t);
    peer.write('one');
    await eventually(() => ear.text === 'one', 'one');
    const next = new Ear();
    wire.adopt(next);
    peer.end('two');
    await eventually(() => next.events.includes('ended'), 'ended');
    assert.deepEqual([ear.text, ear.events, next.text], ['one', [], 'two']);
  });

  test('reading on after writes: an answer is heard though the peer takes nothing more', async (t) => {
    const { wire, ear, peer } = await pair(t);
    wire.readOnAfterWrites();
    fill(wire);
    peer.end('early answer');
    await eventually(() => ear.text === 'early answer' && ear.events.includes('ended'), 'the answer');
    peer.destroy();
    await eventually(
      () => wire.deaf || ear.events.some((one) => one.startsWith('closed')),
      'the failed write is noticed',
    );
    assert.ok(!ear.events.some((one) => one.startsWith('defect')));
  });

  test('any sequence of text, bytes and flushes arrives intact', async (t) => {
    const size = fc.oneof(
      fc.nat(40),
      fc.integer({ min: 16_000, max: 17_000 }),
      fc.integer({ min: 40_000, max: BLOCK_SIZE }),
    );
    const step = fc.record({ what: fc.constantFrom('text', 'shared', 'block', 'other', 'flush'), size });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { wire, peer } = await pair(t);
        const expected: string[] = [];
        let count = 0;
        for (const { what, size: length } of steps) {
          const text = what === 'flush' ? '' : pattern(length, (count += 13));
          expected.push(text);
          if (what === 'flush') wire.flush();
          else if (what === 'text') wire.text(text);
          else if (what === 'shared') {
            sharedBuffer.write(text, 'latin1');
            wire.bytes(sharedBuffer, 0, length);
            sharedBuffer.fill(0x2e, 0, length);
          } else if (what === 'block') {
            const block = takeBlock();
            block.bytes.write(text, 'latin1');
            wire.bytes(block.bytes, 0, length);
            releaseBlock(block);
          } else wire.bytes(Buffer.from(` ${text} `, 'latin1'), 1, length + 1);
        }
        wire.end();
        const heard = listenTo(peer);
        await eventually(() => heard.ended, 'the end');
        assert.ok(heard.text === expected.join(''), 'the bytes are those that were written');
        wire.destroy();
        peer.destroy();
      }),
      { numRuns: 60 },
    );
  });
});

describe('blocks', () => {
  test('a released block is used again, a held one is not', () => {
    const block = takeBlock();
    holdBlock(block);
    releaseBlock(block);
    const other = takeBlock();
    assert.notEqual(other, block);
    releaseBlock(block);
    assert.equal(takeBlock(), block);
    assert.equal(block.holders, 1);
    releaseBlock(block);
    releaseBlock(other);
  });

  test('no more are kept than a busy thread needs', () => {
    const many = Array.from({ length: 100 }, takeBlock);
    assert.equal(new Set(many).size, 100);
    for (const one of many) releaseBlock(one);
    const known = new Set(many);
    const again = Array.from({ length: 100 }, takeBlock);
    assert.ok(again.filter((one) => known.has(one)).length <= 64);
    for (const one of again) releaseBlock(one);
  });

  test('memory leads to its block; other memory to none', () => {
    const block = takeBlock();
    assert.equal(blockOf(block.bytes), block);
    assert.equal(blockOf(sharedBuffer), undefined);
    assert.equal(blockOf(Buffer.from('x')), undefined);
    releaseBlock(block);
  });
});
