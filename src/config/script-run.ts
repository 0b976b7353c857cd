import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import type { Span } from './place.ts';
import { lower, type Finding } from './reading.ts';

const TOP: Span = { start: 0, end: 0 };

/** Imports a script and takes its default export, or says why that failed and where. */
export async function runScript(href: string, text: string): Promise<{ readonly value: unknown } | Finding> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(href)) as Record<string, unknown>;
    if ('default' in exported) return { value: await exported['default'] };
  } catch (error) {
    return explain(error, href, text);
  }
  const [name] = Object.keys(exported);
  const hint = name === undefined ? '' : `; ${name} is exported by name`;
  const message = `the script has to export the config: export default defineConfig({ … })${hint}`;
  return { code: 'config/no-default-export', message, span: TOP };
}

function explain(error: unknown, href: string, text: string): Finding {
  if (!(error instanceof Error))
    return { code: 'config/failed', message: `the script threw ${String(error)}`, span: TOP };
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_MODULE_NOT_FOUND') return notFound(error, href, text);
  const message = lower(error.message);
  const framed = inFrame(error, href, text);
  if (error instanceof SyntaxError) {
    return { code: 'config/syntax', message, span: framed ?? inScript(error, text) ?? TOP };
  }
  return {
    code: 'config/failed',
    message: `the script failed: ${error.name === 'Error' ? '' : `${error.name}: `}${error.message}`,
    span: framed ?? inTrace(error, href, text) ?? TOP,
  };
}

/** `Cannot find package 'x' imported from /…/file`, whose last part is no news when it is this file. */
function notFound(error: Error, href: string, text: string): Finding {
  const [, kind = 'module', name = '', from = ''] =
    /^Cannot find (\w+) '([^']*)'(?: imported from (.*))?$/.exec(error.message) ?? [];
  const specifier = kind === 'package' ? name : (name.split('/').at(-1) as string);
  const start = quoted(text, specifier);
  const here = from === '' || from === fileURLToPath(href).replace(/\?.*$/, '');
  const where = here ? '' : `, which ${from} imports`;
  const hint = name === 'sluice' ? ': run npm install sluice, or leave defineConfig out' : '';
  return {
    code: 'config/failed',
    message: `there is no ${kind} ${start < 0 ? name : specifier}${where}${hint}`,
    span: start < 0 ? TOP : { start, end: start + specifier.length },
  };
}

/** Where a text stands as the end of a quoted one, or whole with more behind a slash. */
function quoted(text: string, specifier: string): number {
  for (let at = text.indexOf(specifier); at >= 0; at = text.indexOf(specifier, at + 1)) {
    if (/['"`/]/.test(text[at - 1] ?? '') && /['"`/]/.test(text[at + specifier.length] ?? '')) return at;
  }
  return -1;
}

/** Node puts the place of a syntax error before the trace: `file:LINE`, lines of code, the last with carets below it. */
function inFrame(error: Error, href: string, text: string): Span | undefined {
  const [head = '', ...lines] = (error.stack ?? '').split('\n');
  const [, file = '', number] = /^(?:file:\/\/)?(.*?)(?:\?\d+)?:(\d+)$/.exec(head) ?? [];
  const path = href.replace(/\?.*$/, '');
  if (number === undefined || !(path.endsWith(file) || fileURLToPath(path) === file)) return undefined;
  const carets = lines.find((line) => /^\s*\^+\s*$/.test(line));
  if (carets === undefined) return undefined;
  const start = offset(text, Number(number), carets.indexOf('^') + 1);
  return { start, end: start + carets.trim().length };
}

/** The topmost frame of the trace in this file. */
function inTrace(error: Error, href: string, text: string): Span | undefined {
  const stack = error.stack ?? '';
  const at = stack.indexOf(`${href}:`);
  const [, line, column] = /^:(\d+):(\d+)/.exec(at < 0 ? '' : stack.slice(at + href.length)) ?? [];
  if (line === undefined) return undefined;
  const start = offset(text, Number(line), Number(column));
  return { start, end: start + 1 };
}

/**
 * For syntax errors of plain JavaScript modules Node keeps the place to itself. As a classic script, with the words
 * blanked out that only modules have, the text fails at the same place and tells it.
 */
function inScript(error: Error, text: string): Span | undefined {
  const classic = text
    .replaceAll(/^export\s+default\b/gm, (words) => 'void 0,'.padEnd(words.length))
    .replaceAll(/^export\b/gm, '      ')
    .replaceAll(/^import\b[^;\n]*/gm, (words) => ' '.repeat(words.length));
  try {
    new Script(classic, { filename: 'config' });
  } catch (again) {
    if (!(again instanceof SyntaxError) || again.message !== error.message) return undefined;
    return inFrame(again, 'file:///config', text);
  }
  return undefined;
}

function offset(text: string, line: number, column: number): number {
  let start = 0;
  for (let i = 1; i < line; i++) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}
