#!/usr/bin/env node
// Plain JavaScript that even Node 12 can parse, so that an old Node gets one clear line instead of a syntax error.
import { existsSync } from 'fs';
import { fileURLToPath } from 'url';

const wanted = [22, 22];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
  console.error(
    `sluice needs Node ${wanted.join('.')} or newer; this is Node ${process.versions.node} (${process.execPath})`,
  );
  process.exitCode = 1;
} else {
  const compiled = new URL('../dist/cli.js', import.meta.url);
  const source = new URL('../src/cli.ts', import.meta.url);
  import(existsSync(fileURLToPath(compiled)) ? compiled.href : source.href).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
