import { isAlias, isMap, isPair, isScalar, isSeq, parseDocument, type Document, type Node, type YAMLError } from 'yaml';
import type { Place, Span } from './place.ts';
import { lower, type Finding, type Reading } from './reading.ts';

/** In the words of this program, where the library's are for people who know YAML's grammar. */
const WORDS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab cannot indent in YAML: use spaces',
  DUPLICATE_KEY: 'this key is here already',
  MULTIPLE_DOCS: 'a config is one YAML document: what follows --- would be ignored',
  BLOCK_AS_IMPLICIT_KEY:
    'the indentation or a second `: ` makes this an option inside a value; put text with `: ` in quotes',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_DQ_ESCAPE: 'not an escape of double quotes: write it in single quotes, where a backslash is a backslash',
};

/** Reads YAML: the value, and where each part of it stands. Anchors, aliases and `<<` merges are followed. */
export function readYaml(text: string): Reading {
  const document = parseDocument(text, { prettyErrors: false, merge: true, uniqueKeys: true });
  const problems = [...document.errors, ...document.warnings].map(finding);
  const serious = problems.some(({ code }) => code === 'config/syntax');
  if (serious) return { problems: withoutEchoes(problems, text) };
  if (document.contents === null) {
    return { problems: [{ code: 'config/empty', message: 'the file holds nothing', span: { start: 0, end: 0 } }] };
  }
  const root = place(document.contents, document, undefined, []);
  try {
    return { value: document.toJS({ maxAliasCount: 100 }), root, problems };
  } catch (error) {
    // An alias without an anchor, or aliases of aliases that would blow up.
    return { problems: [syntax((error as Error).message, unresolved(text, error as Error))] };
  }
}

function finding(error: YAMLError): Finding {
  const [start, end] = error.pos;
  const message = WORDS[error.code] ?? lower(error.message);
  return {
    code: error.code === 'DUPLICATE_KEY' ? 'config/duplicate-key' : 'config/syntax',
    message,
    span: { start, end },
  };
}

/** One mistake often breaks the rest of its line and the next: what follows within two lines is left out. */
function withoutEchoes(problems: readonly Finding[], text: string): Finding[] {
  let quiet = -1;
  return problems
    .toSorted((a, b) => a.span.start - b.span.start)
    .filter(({ code, span: { start } }) => {
      if (code === 'config/duplicate-key') return true;
      if (start <= quiet) return false;
      const next = text.indexOf('\n', start);
      quiet = next < 0 ? text.length : text.indexOf('\n', next + 1);
      if (quiet < 0) quiet = text.length;
      return true;
    });
}

function syntax(message: string, span: Span): Finding {
  return { code: 'config/syntax', message: lower(message), span };
}

function unresolved(text: string, error: Error): Span {
  const name = /: (\S+)$/.exec(error.message)?.[1];
  const start = name === undefined ? -1 : text.indexOf(`*${name}`);
  return start < 0 ? { start: 0, end: 0 } : { start, end: start + 1 + (name as string).length };
}

/** `above`: the nodes this one is part of, against aliases that contain themselves. */
function place(node: Node, document: Document, key: Span | undefined, above: readonly Node[]): Place {
  const target = isAlias(node) ? node.resolve(document) : node;
  const parts = new Map<string, Place>();
  if (target !== undefined && !above.includes(target)) {
    const inside = [...above, target];
    if (isSeq(target)) {
      for (const [i, item] of target.items.entries()) {
        if (isNode(item)) parts.set(String(i), place(item, document, undefined, inside));
      }
    } else if (isMap(target)) {
      addPairs(parts, target.items, document, inside);
    }
  }
  const value = span(node);
  return key === undefined ? { value, parts } : { key, value, parts };
}

function addPairs(
  parts: Map<string, Place>,
  items: readonly unknown[],
  document: Document,
  inside: readonly Node[],
): void {
  for (const pair of items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const key = span(pair.key);
    const name = String(pair.key.value);
    const node = isNode(pair.value) ? pair.value : undefined;
    if (name === '<<' && node !== undefined) {
      const merged = place(node, document, undefined, inside);
      const sources = isSeq(node) ? [...merged.parts.values()].map((one) => one.parts) : [merged.parts];
      for (const source of sources) for (const [part, one] of source) if (!parts.has(part)) parts.set(part, one);
    } else {
      parts.set(name, node === undefined ? { key, value: key, parts: new Map() } : place(node, document, key, inside));
    }
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function span(node: Node): Span {
  const [start, end] = node.range ?? [0, 0];
  return { start, end };
}
