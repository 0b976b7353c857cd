import { programs } from '../codec/index.ts';
import { parseOrigin } from '../upstream/options.ts';
import { schemes } from './schema.ts';

/** What it speaks and where it is; of processes that are not there yet only the first. */
export function addressOf(origin: unknown): ReturnType<typeof parseOrigin> {
  const spawn = isFields(origin) ? origin['spawn'] : undefined;
  if (!isFields(spawn)) return parseOrigin(String(isFields(origin) ? origin['url'] : origin), schemes, programs);
  const { protocol = schemes[0], name = 'children' } = spawn;
  // The schema says so, too, and better; but everything is looked at before anything is told.
  if (!schemes.includes(String(protocol))) return { code: 'config/scheme', message: 'unknown protocol' };
  return { scheme: String(protocol), host: String(name), port: 0 };
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
