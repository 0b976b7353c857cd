export { advice } from './advice.ts';
export { check, type Checked } from './check.ts';
export type { Config, UpstreamConfig } from './config.ts';
export { defineConfig, type BalanceInput, type ConfigInput, type RouteInput, type UpstreamInput } from './define.ts';
export { jsonSchema } from './json-schema.ts';
export { configNames, findConfig, load, loadText } from './load.ts';
export {
  problemCodes,
  showProblem,
  showProblems,
  type Problem,
  type ProblemCode,
  type PropertyPath,
} from './problems.ts';
