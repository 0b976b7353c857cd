/**
 * Configs in fixtures/*.md and what sluice says about them: under each heading a config, and below it the messages, with their
 * codes behind the fence. With SLUICE_WRITE_FIXTURES=1 messages are written instead of compared; read them before committing.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { advice, load, problemCodes, showProblems } from './index.ts';
import { jsonSchema } from './json-schema.ts';

const FOLDER = join(import.meta.dirname, 'fixtures');
const GOOD = 'good.md';
/** Those that can be run. */
const ADVICE = 'advice.md';
const WRITE = process.env['SLUICE_WRITE_FIXTURES'] === '1';

/** Heading and config, then the expected block when there is one already. */
const CASE =
  /(?<head>^## (?<title>.+)\n\n```(?<language>ts|js|yaml|json)\n(?<config>[^]*?)^```\n)(?:\n(?<expected>```text [^]*?^```\n))?/gm;

interface Case {
  /** From the heading to the end of the config. */
  readonly head: string;
  readonly title: string;
  readonly language: string;
  readonly config: string;
  readonly expected: string;
}

function read(name: string): { text: string; cases: Case[] } {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  return {
    text,
    cases: [...text.matchAll(CASE)].map(({ groups }) => ({ ...groups, expected: groups?.['expected'] ?? '' }) as Case),
  };
}

/** Every code that came up. */
const seen = new Set<string>();

/** The block that belongs below the config; '' for a good one. */
async function outcome({ language, config }: Case, advised = false): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  try {
    const file = join(folder, `sluice.config.${language}`);
    writeFileSync(file, config);
    const checked = await load(file);
    const said = checked.config === undefined || !advised ? [] : await advice(checked.config, checked.source);
    const problems = checked.problems ?? said;
    if (problems.length === 0) return '';
    const codes = [...new Set(problems.map(({ code }) => code))];
    for (const code of codes) seen.add(code);
    return `\`\`\`text ${codes.join(' ')}\n${showProblems(problems)}\n\`\`\`\n`.replaceAll(`${folder}/`, '');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const names = readdirSync(FOLDER);
for (const name of names) {
  const { text, cases } = read(name);
  describe(name, () => {
    for (const one of cases) {
      test(one.title, async () => {
        const found = await outcome(one, name === ADVICE);
        if (!WRITE || name === GOOD) assert.equal(found, one.expected);
        assert.equal(found === '', name === GOOD);
      });
    }
    test('every heading has a config', () => {
      assert.equal(cases.length, text.match(/^## /gm)?.length);
    });
  });
}

if (WRITE) {
  for (const name of names.filter((one) => one !== GOOD)) {
    const { text, cases } = read(name);
    let written = text;
    for (const one of cases) {
      const before = one.expected === '' ? one.head : `${one.head}\n${one.expected}`;
      const after = `${one.head}\n${await outcome(one, name === ADVICE)}`;
      written = written.replace(before, () => after);
    }
    writeFileSync(join(FOLDER, name), written);
  }
}

test('the corpus is large enough', () => {
  const broken = names.filter((name) => name !== GOOD).flatMap((name) => read(name).cases);
  assert.ok(broken.length >= 90, `${broken.length} broken configs`);
});

test('every problem has been seen', () => {
  // These are about files, in load.test.ts.
  const files = ['config/not-found', 'config/ambiguous-file', 'config/unknown-format', 'config/unreadable'];
  assert.deepEqual(
    Object.keys(problemCodes).filter((code) => !seen.has(code) && !files.includes(code)),
    [],
  );
});

test('the JSON Schema takes every good config', () => {
  const schema = z.fromJSONSchema(jsonSchema());
  for (const { title, language, config } of read(GOOD).cases) {
    if (language !== 'yaml' && language !== 'json') continue;
    const result = schema.safeParse(parse(config, { merge: true }));
    assert.ok(result.success, `${title}: ${result.error?.message}`);
  }
});
