import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasStatus, showStatuses, statusSchema } from './status.ts';

test('one status, one range, and several of them', () => {
  const shown = (given: Parameters<typeof statusSchema.parse>[0]): string => showStatuses(statusSchema.parse(given));
  assert.equal(shown(204), '204');
  assert.equal(shown('204'), '204');
  assert.equal(shown('200-299'), '200-299');
  assert.equal(shown([204, '300-399']), '204, 300-399');
  assert.equal(hasStatus(statusSchema.parse(204), 204), true);
  assert.equal(hasStatus(statusSchema.parse(204), 205), false);
  for (const wrong of [100, 600, '300-200', 'ok', []]) assert.equal(statusSchema.safeParse(wrong).success, false);
});
