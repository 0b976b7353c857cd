import { execFileSync } from 'node:child_process';
import type { Subject } from './subject.ts';
import { benchDir } from './programs.ts';

/** The project's own `npm ci` leaves the competitors out; they are fetched when they are first compared with. */
export function installNodeProxies(subjects: readonly Subject[], say: (text: string) => void): void {
  if (!subjects.some((subject) => subject.fromNpm === true && subject.missing() !== undefined)) return;
  say('Installing the Node proxies to compare with: npm ci --prefix bench');
  try {
    execFileSync('npm', ['ci', '--prefix', benchDir, '--no-audit', '--no-fund'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } catch {
    say('That failed; going on without them.');
  }
}
