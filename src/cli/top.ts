import { askAdmin, type AdminPlace, AdminError } from '../admin/client.ts';
import type { Status, UpstreamView } from '../control/views.ts';
import { systemClock } from '../core/clock.ts';
import { orDie, placeOf, type PlaceWords } from './admin-place.ts';
import { plain, print, terminalWidth } from './table.ts';
import { cut, frame, type Sample } from './top-frame.ts';

/** Milliseconds from one frame to the next. */
const STEP = 1000;

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const REST_OF_LINE = '\x1b[K';
const REST_OF_SCREEN = '\x1b[J';
const CTRL_C = '\x03';

/** `sluice top`: on a terminal until q, otherwise once. */
export async function top(words: PlaceWords & { readonly once?: true }): Promise<void> {
  const place = await placeOf(words);
  const first = await orDie(sample(place));
  if (words.once !== true && process.stdout.isTTY && process.stdin.isTTY) return live(place, first);
  await pause(STEP);
  const second = await orDie(sample(place));
  print(frame(second, first, terminalWidth()).join('\n'));
}

async function sample(place: AdminPlace): Promise<Sample> {
  const [status, upstreams] = await Promise.all([
    askAdmin(place, 'GET', '/v1/status'),
    askAdmin(place, 'GET', '/v1/upstreams'),
  ]);
  return { at: systemClock.now(), status: status as Status, upstreams: upstreams as UpstreamView[] };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve));
}

/** Draws until a key or a signal ends it; whatever ends it, the terminal is as before. */
function live(place: AdminPlace, first: Sample): Promise<void> {
  const { stdin, stdout } = process;
  let now = first;
  let before: Sample | null = null;
  let trouble = '';
  let cancel = (): void => {};
  let over = false;
  let again = (): void => {};
  const draw = (): void => {
    // A terminal that does not tell its size says 0.
    const [columns, rows] = [stdout.columns || 80, stdout.rows || 24];
    const last = trouble === '' ? 'q ends' : `${trouble} · q ends`;
    const lines = [...frame(now, before, columns).slice(0, rows - 2), '', cut(plain(last), columns)];
    stdout.write(
      `${HOME}${lines.map((line, i) => `${coloured(line, i)}${REST_OF_LINE}`).join('\r\n')}${REST_OF_SCREEN}`,
    );
  };
  const step = async (): Promise<void> => {
    try {
      const next = await sample(place);
      before = now;
      now = next;
      trouble = '';
    } catch (error) {
      // A proxy that is restarted comes back: what was seen last stays on the screen meanwhile.
      if (!(error instanceof AdminError)) throw error;
      trouble = error.message;
    }
    if (over) return;
    draw();
    cancel = systemClock.after(STEP, again);
  };
  return new Promise((resolve, reject) => {
    again = () => void step().catch(fail);
    const leave = (): void => {
      over = true;
      cancel();
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off('data', key);
      stdout.off('resize', draw);
      process.off('exit', restore);
      for (const signal of SIGNALS) process.off(signal, end);
      restore();
    };
    const end = (): void => {
      leave();
      resolve();
      // A request to the proxy may be on its way: nobody waits for it.
      process.exit(0);
    };
    const fail = (error: unknown): void => {
      leave();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const key = (pressed: Buffer): void => {
      if (/[qQ]/.test(pressed.toString()) || pressed.includes(CTRL_C)) end();
    };
    process.on('exit', restore);
    for (const signal of SIGNALS) process.on(signal, end);
    stdin.setRawMode(true);
    stdin.on('data', key);
    stdout.on('resize', draw);
    stdout.write(ENTER);
    draw();
    cancel = systemClock.after(STEP, again);
  });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function restore(): void {
  process.stdout.write(LEAVE);
}

/** The table's head stands out, and what cannot be asked is red. */
function coloured(line: string, index: number): string {
  if (process.env['NO_COLOR'] !== undefined && process.env['NO_COLOR'] !== '') return line;
  if (index === 3) return `\x1b[7m${line}\x1b[0m`;
  return / {2}(?:down|draining) /.test(line) ? `\x1b[31m${line}\x1b[0m` : line;
}
