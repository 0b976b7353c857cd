import { check } from './config/index.ts';
import { Sluice } from './sluice.ts';
import { readFileSync } from 'node:fs';
const c = check(JSON.parse(readFileSync(process.argv[3] as string, 'utf8')));
if (c.config === undefined) { console.error(c.problems); process.exit(2); }
const s = new Sluice(c.config); await s.open(); console.log(s.addresses.join(' '));
