import type { Case } from '../case.ts';
import { rate } from './fixed-rate.ts';
import { connections, download, post, small, upload } from './closed-loop.ts';

export const cases: readonly Case[] = [small, post, download, upload, connections, rate];
