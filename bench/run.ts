/** `npm run bench`: sluice and its competitors side by side on this machine, as a Markdown table. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cases } from './cases/index.ts';
import { type CaseResult, runCase } from './contest.ts';
import { installNodeProxies } from './install.ts';
import { canPin, describeMachine, pinSelf } from './machine.ts';
import { startOrigins } from './origins.ts';
import { chosen, readOptions, usage } from './options.ts';
import { table } from './report.ts';
import { subjects } from './subjects/index.ts';

const say = (text: string): void => console.error(text);

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') return console.log(usage);
  const tests = chosen(cases, options.only);
  const contenders = chosen(subjects, options.subjects);
  installNodeProxies(contenders, say);
  pinSelf();
  if (!canPin) say('Not pinned: this needs taskset (apt install util-linux) and two cores. The figures are noisier.');
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

  const origins = await startOrigins(dir);
  const results: CaseResult[] = [];
  try {
    for (const test of tests) {
      const result = await runCase(test, { ...options, subjects: contenders, origins, dir, say });
      results.push(result);
      console.log(table(result));
    }
  } finally {
    await origins.stop();
  }
  console.log(describeMachine());
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, undefined, 2));
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
