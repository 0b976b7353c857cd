/**
 * Configs in fixtures/*.md and what sluice says about them: under each heading a config, and below it the message. With
 * SLUICE_WRITE_FIXTURES=1 the messages are written instead of compared; read them before committing.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { load, problemCodes, showProblems } from './index.ts';
import { jsonSchema } from './json-schema.ts';

const FOLDER = join(import.meta.dirname, 'fixtures');
const WRITE = process.env['SLUICE_WRITE_FIXTURES'] === '1';

/** Heading, language, config, and the expected text when there is one already. */
const CASE =
  /^## (?<title>.+)\n\n```(?<language>\w+)\n(?<config>[^]*?)^```\n(?:\n```text\n(?<expected>[^]*?)^```\n)?/gm;

interface Case {
  readonly title: string;
  readonly language: string;
  readonly config: string;
  readonly expected: string | undefined;
}

function casesOf(text: string): Case[] {
  return [...text.matchAll(CASE)].map(({ groups }) => ({ expected: undefined, ...groups }) as Case);
}

async function outcome({ language, config }: Case): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  try {
    const file = join(folder, `sluice.config.${language}`);
    writeFileSync(file, config);
    const { problems } = await load(file);
    for (const { code } of problems ?? []) codes.add(code);
    return problems === undefined ? 'good\n' : `${showProblems(problems)}\n`.replaceAll(`${folder}/`, '');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

let broken = 0;
/** Every code that came up. */
const codes = new Set<string>();
for (const name of readdirSync(FOLDER)) {
  const path = join(FOLDER, name);
  const text = readFileSync(path, 'utf8');
  const cases = casesOf(text);
  describe(name, () => {
    for (const one of cases) {
      if (name !== 'good.md') broken++;
      test(one.title, async () => {
        const found = await outcome(one);
        if (name === 'good.md') assert.equal(found, 'good\n');
        else if (!WRITE) assert.equal(found, one.expected);
        assert.equal(found === 'good\n', name === 'good.md');
      });
    }
    test('every heading has a config', () => {
      assert.equal(cases.length, text.match(/^## /gm)?.length);
    });
  });
}

if (WRITE) {
  for (const name of readdirSync(FOLDER).filter((one) => one !== 'good.md')) {
    const path = join(FOLDER, name);
    const text = readFileSync(path, 'utf8');
    let written = text;
    for (const one of casesOf(text)) {
      const block = `## ${one.title}\n\n\`\`\`${one.language}\n${one.config}\`\`\`\n`;
      const before = one.expected === undefined ? block : `${block}\n\`\`\`text\n${one.expected}\`\`\`\n`;
      const after = `${block}\n\`\`\`text\n${await outcome(one)}\`\`\`\n`;
      written = written.replace(before, () => after);
    }
    writeFileSync(path, written);
  }
}

test('the corpus is large enough', () => {
  assert.ok(broken >= 45, `${broken} broken configs`);
});

test('every problem has been seen', () => {
  const files = ['config/not-found', 'config/ambiguous-file', 'config/unknown-format', 'config/unreadable'];
  assert.deepEqual(
    Object.keys(problemCodes).filter((code) => !codes.has(code) && !files.includes(code)),
    [],
  );
});

test('the JSON Schema takes every good config', () => {
  const schema = z.fromJSONSchema(jsonSchema());
  for (const { title, language, config } of casesOf(readFileSync(join(FOLDER, 'good.md'), 'utf8'))) {
    if (language !== 'yaml' && language !== 'json') continue;
    const result = schema.safeParse(parse(config, { merge: true }));
    assert.ok(result.success, `${title}: ${result.error?.message}`);
  }
});
