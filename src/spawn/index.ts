export { childLacks, type Lack, pathLack, processLacks } from './lacks.ts';
