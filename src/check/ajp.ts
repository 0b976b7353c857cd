import { connect } from 'node:net';
import { z } from 'zod';
import type { OriginAddress } from '../core/origin.ts';
import { showDuration } from '../core/units.ts';
import { ping, readPong } from '../codec/ajp/ping.ts';
import { attempt, broken, endpoint, failed } from './attempt.ts';
import type { Check, CheckKind } from './check.ts';

const options = z.strictObject({});

export const ajp = {
  name: 'ajp',
  aliases: ['cping'],
  about: 'A servlet container answers a CPING with a CPONG: its connector works. No application is asked.',
  schemes: ['ajp', 'ajp13'],
  options,
  create: (): Check => ({ probe }),
} as const satisfies CheckKind<typeof options>;

const probe: Check['probe'] = (address: OriginAddress, tools) =>
  attempt(tools, (found) => {
    let held = Buffer.alloc(0);
    const socket = connect(endpoint(address));
    socket.on('connect', () => socket.write(ping()));
    socket.on('data', (bytes: Buffer) => {
      // At most five bytes are waited for, so this stays short whatever comes.
      held = Buffer.concat([held, bytes.subarray(0, 8)]);
      const pong = readPong(held);
      if (pong === 'pong') found({ healthy: true, detail: 'CPONG' });
      else if (pong === 'bad') found(failed('the answer to CPING is no CPONG'));
    });
    socket.on('error', (error) => found(broken(error, 'cannot connect')));
    socket.on('close', () => found(failed('closed before CPONG')));
    return {
      late: () => failed(`no CPONG within ${showDuration(tools.timeout)}`),
      close: () => void socket.destroy(),
    };
  });
