import type { Case } from '../case.ts';
import { aborts } from './aborts.ts';
import { connections, download, post, protocols, small, upload } from './closed-loop.ts';
import { rate } from './fixed-rate.ts';
import { idle } from './idle.ts';

export const cases: readonly Case[] = [small, post, download, upload, connections, ...protocols, rate, idle, aborts];
