/** Prometheus' own tool reads the metrics, and finds nothing to say about their names. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { showMetrics } from '../../src/observe/metrics.ts';
import { figures } from '../support/figures.ts';
import { skipUnless } from '../support/peer.ts';

function check(promtool: string, text: string): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, said: `${stdout}${stderr}`.trim() };
}

test('promtool check metrics', (t) => {
  const promtool = skipUnless(t, 'promtool');
  if (promtool === undefined) return;
  assert.deepEqual(check(promtool, showMetrics(figures())), { status: 0, said: '' });
  const nothing = { ...figures(), listeners: [], routes: [], upstreams: [], threads: [], errors: {} };
  assert.deepEqual(check(promtool, showMetrics(nothing)), { status: 0, said: '' });
});

test('it would have noticed: a counter without _total, a label that does not end, a brace too many', (t) => {
  const promtool = skipUnless(t, 'promtool');
  if (promtool === undefined) return;
  const text = showMetrics(figures());
  for (const broken of [
    text.replaceAll('sluice_retries_total', 'sluice_retries'),
    text.replace('le="+Inf"} ', 'le="+Inf} '),
    text.replace('sluice_build_info{', 'sluice_build_info{{'),
  ]) {
    assert.notEqual(broken, text);
    const { status, said } = check(promtool, broken);
    assert.ok(status !== 0 && said !== '', said);
  }
});
