import { connect } from 'node:net';
import { z } from 'zod';
import type { OriginAddress } from '../core/origin.ts';
import { showDuration } from '../core/units.ts';
import { attempt, broken, endpoint, failed, withConnection } from './attempt.ts';
import type { Check, CheckKind, Finding } from './check.ts';

/** Milliseconds for the origin to close its side too. A socket closed while a greeting is unread would be reset instead. */
const FAREWELL = 100;

const options = z.strictObject({});

export const tcp = {
  name: 'tcp',
  aliases: ['tcp-check'],
  about: 'A connection can be made; nothing is sent. Tells that something listens, not that it works.',
  schemes: 'any',
  options,
  create: (): Check => ({ probe }),
} as const satisfies CheckKind<typeof options>;

const probe: Check['probe'] = (address: OriginAddress, tools) =>
  attempt(tools, (found) =>
    withConnection(address, tools, found, (secure) => {
      let connected: Finding | undefined;
      let cancel: (() => void) | undefined;
      const socket = secure ?? connect(endpoint(address));
      const isThere = (): void => {
        connected = { healthy: true, detail: 'connected' };
        cancel = tools.clock.after(FAREWELL, () => found(connected as Finding), 'idle');
        socket.resume().end();
      };
      if (secure === undefined) socket.on('connect', isThere);
      socket.prependListener('error', (error) => found(connected ?? broken(error, 'cannot connect')));
      socket.prependListener('close', () => found(connected ?? failed('cannot connect')));
      if (secure !== undefined) isThere();
      return {
        late: () => connected ?? failed(`no connection within ${showDuration(tools.timeout)}`),
        close() {
          cancel?.();
          socket.destroy();
        },
      };
    }),
  );
