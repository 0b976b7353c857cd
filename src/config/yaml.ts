import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import { position, type Place, type Span } from './place.ts';
import { lower, twice, type Finding, type Reading } from './reading.ts';

/** In the words of this program, where the library's are for people who know YAML's grammar. */
const WORDS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab cannot indent in YAML: use spaces',
  MULTIPLE_DOCS: 'a config is one YAML document: what follows --- would be ignored',
  BLOCK_AS_IMPLICIT_KEY:
    'the indentation or a second `: ` makes this an option inside a value; put text with `: ` in quotes',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_DQ_ESCAPE: 'not an escape of double quotes: write it in single quotes, where a backslash is a backslash',
};

/** Reads YAML: the value, and where each part of it stands. Anchors, aliases and `<<` merges are followed. */
export function readYaml(text: string): Reading {
  // Keys given twice are found below, where the first one is known too.
  const document = parseDocument(text, { prettyErrors: false, merge: true, uniqueKeys: false });
  const broken = [...document.errors, ...document.warnings].map((error) => finding(error, document));
  if (broken.length > 0) return { problems: withoutEchoes(broken, text) };
  if (document.contents === null) {
    return { problems: [{ code: 'config/empty', message: 'the file holds nothing', span: { start: 0, end: 0 } }] };
  }
  const places = new Places(document, text);
  const root = places.of(document.contents, undefined);
  try {
    return { value: document.toJS({ maxAliasCount: 100 }), root, problems: places.problems };
  } catch (error) {
    // An alias without an anchor, or aliases of aliases that would blow up.
    const message = lower((error as Error).message);
    return { problems: [{ code: 'config/syntax', message, span: unresolved(text, error as Error) }] };
  }
}

function finding({ code, message, pos: [start, end] }: YAMLError, document: Document): Finding {
  const closer = /end with a (.)$/.exec(message)?.[1];
  if (closer !== undefined) {
    return { code: 'config/syntax', message: `a ${closer} is missing before this`, span: { start, end } };
  }
  if (/^Missing closing .quote$/.test(message)) {
    return {
      code: 'config/syntax',
      message: 'this text has no closing quote',
      span: openText(document) ?? { start, end },
    };
  }
  return { code: 'config/syntax', message: WORDS[code] ?? lower(message), span: { start, end } };
}

/** The quoted text that goes on to the end of the file. */
function openText(document: Document): Span | undefined {
  let found: Span | undefined;
  visit(document, {
    Scalar(_, node) {
      if (node.type?.startsWith('QUOTE') === true && node.range != null)
        found = { start: node.range[0], end: node.range[1] };
    },
  });
  return found;
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

function unresolved(text: string, error: Error): Span {
  const name = /: (\S+)$/.exec(error.message)?.[1];
  const start = name === undefined ? -1 : text.indexOf(`*${name}`);
  return start < 0 ? { start: 0, end: 0 } : { start, end: start + 1 + (name as string).length };
}

const NOTHING: ReadonlyMap<string, Place> = new Map();

/** Walks over the document, and notes keys that are given twice. */
class Places {
  readonly problems: Finding[] = [];
  readonly #document: Document;
  readonly #text: string;
  readonly #parts = new Map<Node, Map<string, Place>>();

  constructor(document: Document, text: string) {
    this.#document = document;
    this.#text = text;
  }

  of(node: Node, key: Span | undefined): Place {
    const target = isAlias(node) ? node.resolve(this.#document) : node;
    const value = span(node);
    const parts = target === undefined ? NOTHING : this.#partsOf(target);
    return key === undefined ? { value, parts } : { key, value, parts };
  }

  /** Once per node, however many aliases it has, and even if it contains itself. */
  #partsOf(node: Node): ReadonlyMap<string, Place> {
    const known = this.#parts.get(node);
    if (known !== undefined) return known;
    const parts = new Map<string, Place>();
    this.#parts.set(node, parts);
    if (isSeq(node)) {
      for (const [i, item] of node.items.entries()) if (isNode(item)) parts.set(String(i), this.of(item, undefined));
    } else if (isMap(node)) {
      this.#pairs(parts, node.items);
    }
    return parts;
  }

  #pairs(parts: Map<string, Place>, items: readonly unknown[]): void {
    const merged: Place[] = [];
    for (const pair of items) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const key = span(pair.key);
      const name = pair.key.source ?? String(pair.key.value);
      const node = isNode(pair.value) ? pair.value : undefined;
      if (name === '<<' && node !== undefined) {
        const place = this.of(node, undefined);
        merged.push(...(isSeq(node) ? place.parts.values() : [place]));
        continue;
      }
      const first = parts.get(name)?.key;
      if (first !== undefined) this.problems.push(twice(name, key, position(this.#text, first).line));
      parts.set(name, node === undefined ? { key, value: key, parts: new Map() } : this.of(node, key));
    }
    for (const place of merged) for (const [name, one] of place.parts) if (!parts.has(name)) parts.set(name, one);
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function span(node: Node): Span {
  const [start, end] = node.range ?? [0, 0];
  return { start, end };
}
