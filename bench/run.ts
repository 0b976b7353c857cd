/** `npm run bench`: sluice and its competitors side by side on this machine, as a Markdown table. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aimsTable } from './aims.ts';
import { cases } from './cases/index.ts';
import { type CaseResult, runCase } from './contest.ts';
import { type Fairness, fairnessTable, inspect } from './fairness.ts';
import { installNodeProxies } from './install.ts';
import { describeMachine, pinSelf } from './machine.ts';
import { Origins } from './origins/index.ts';
import { chosen, readOptions, usage } from './options.ts';
import { heading, table } from './report.ts';
import type { Subject } from './subject.ts';
import { subjects } from './subjects/index.ts';

const say = (text: string): void => console.error(text);

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') return console.log(usage);
  const tests = chosen(cases, options.only);
  const contenders = chosen(subjects, options.subjects);
  installNodeProxies(contenders, say);
  pinSelf();
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  // Origins may run as another user.
  chmodSync(dir, 0o755);
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

  const origins = new Origins(dir);
  try {
    console.log(heading(options, process.argv.slice(2), [...new Set(tests.map(({ origin }) => origin))]));
    const found: [Subject, Fairness | string][] = [];
    for (const subject of contenders) found.push([subject, await inspect(subject, await origins.get('bodies'), dir)]);
    console.log(fairnessTable(found));

    const results: CaseResult[] = [];
    for (const test of tests) {
      const missing = test.missing();
      if (missing !== undefined) {
        console.log(`### ${test.title}\n\nNot measured: ${missing}\n`);
        continue;
      }
      const result = await runCase(test, { ...options, subjects: contenders, origins, dir, say });
      results.push(result);
      console.log(table(result));
    }
    if (contenders.some((subject) => subject.name === 'sluice')) {
      const nodeProxies = contenders.filter((subject) => subject.fromNpm === true).map((subject) => subject.name);
      console.log(aimsTable(results, nodeProxies));
    }
    if (options.json !== undefined) {
      const report = {
        date: new Date(),
        machine: describeMachine(),
        options,
        found: found.map(([, one]) => one),
        results,
      };
      writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
    }
  } finally {
    await origins.stop();
  }
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
