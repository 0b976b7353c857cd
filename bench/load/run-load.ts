import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { loadCpu, pinned } from '../machine.ts';
import { benchDir, nodeProgram } from '../programs.ts';

/** A young generation that big is collected a few times in a round instead of every few milliseconds. */
const memory = ['--min-semi-space-size=64', '--max-semi-space-size=64'];

/** Runs one of our own load generators on the load core; its job goes in and its summary comes out as JSON. */
export function runLoad<Summary>(script: string, job: object): Promise<Summary> {
  const command = [nodeProgram(), ...memory, join(benchDir, 'load', script), JSON.stringify(job)];
  const [file = '', ...args] = pinned(loadCpu, command);
  return new Promise((resolve, reject) => {
    execFile(file, args, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as Summary);
      else reject(new Error(`${script} failed: ${error.message} ${stderr}`));
    });
  });
}
