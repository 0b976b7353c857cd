/** A real admin server before a `FakeControl`, gone with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { AdminLimits } from '../../src/admin/limits.ts';
import type { AdminOptions } from '../../src/admin/options.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { FakeControl } from './fake-control.ts';

export const TOKEN = 'correct-horse-battery-staple';

export interface Admin {
  readonly server: AdminServer;
  readonly control: FakeControl;
  readonly url: string;
  readonly port: number;
  /** The messages, `level code message`. */
  readonly said: string[];
}

export function optionsOf(some: Partial<AdminOptions> = {}): AdminOptions {
  const address = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  return { address, token: TOKEN, tokenFile: null, public: false, metrics: 'token', ...some };
}

export async function admin(
  t: TestContext,
  options: Partial<AdminOptions> = {},
  limits: Partial<AdminLimits> = {},
): Promise<Admin> {
  const control = new FakeControl();
  control.secret = TOKEN;
  const said: string[] = [];
  const server = new AdminServer(optionsOf(options), {
    control,
    clock: systemClock,
    version: '0.1.0',
    say: (level, code, message) => void said.push(`${level} ${code} ${message}`),
    limits,
  });
  await server.open();
  t.after(() => server.close());
  return { server, control, url: server.url, port: Number(/:(\d+)$/.exec(server.url)?.[1] ?? 0), said };
}

export function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
