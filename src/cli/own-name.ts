import { registerHooks } from 'node:module';

/**
 * Lets a config say `import { defineConfig } from 'sluice'` wherever it lies and however sluice was installed: where no
 * package of that name is found, it is this one.
 */
export function answerToOwnName(): void {
  const own = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : '../index.js', import.meta.url).href;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== 'sluice') return next(specifier, context);
      try {
        return next(specifier, context);
      } catch {
        return { url: own, shortCircuit: true };
      }
    },
  });
}
