export { check, type Checked } from './check.ts';
export type { Config, UpstreamConfig } from './config.ts';
export { defineConfig, type BalanceInput, type ConfigInput, type RouteInput, type UpstreamInput } from './define.ts';
export { load } from './load.ts';
export { showProblem, showProblems, problemCodes, type Problem, type ProblemCode } from './problems.ts';
