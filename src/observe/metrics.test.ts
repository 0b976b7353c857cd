import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { figures, HOSTILE } from '../../test/support/figures.ts';
import { GROUPS, showMetrics } from './metrics.ts';

const text = showMetrics(figures());

function has(...lines: string[]): void {
  const all = text.split('\n');
  for (const line of lines) assert.ok(all.includes(line), `${line}\nis not in\n${text}`);
}

describe('metrics', () => {
  test('of everything that is counted', () => {
    has(
      'sluice_requests_total{listener="127.0.0.1:8080",class="2xx"} 20',
      'sluice_requests_total{listener="127.0.0.1:8080",class="none"} 6',
      'sluice_request_duration_seconds_bucket{listener="127.0.0.1:8080",le="0.5"} 35',
      'sluice_request_duration_seconds_bucket{listener="127.0.0.1:8080",le="+Inf"} 39',
      'sluice_request_duration_seconds_sum{listener="127.0.0.1:8080"} 4.25',
      'sluice_request_duration_seconds_count{listener="127.0.0.1:8080"} 39',
      'sluice_connections_refused_total{listener="unix:/run/sluice.sock"} 1',
      'sluice_route_requests_total{route="/api/*",class="5xx"} 5',
      'sluice_upstream_queue_length{upstream="app"} 2',
      'sluice_upstream_queue_limit{upstream="app"} 100',
      'sluice_upstream_queue_oldest_seconds{upstream="app"} 0.25',
      'sluice_retries_total{upstream="app",reason="connect-refused"} 3',
      'sluice_origin_state{upstream="app",origin="127.0.0.1:3000",state="up"} 1',
      'sluice_origin_state{upstream="app",origin="127.0.0.1:3000",state="down"} 0',
      'sluice_origin_state{upstream="app",origin="127.0.0.1:3001",state="down"} 1',
      'sluice_origin_in_flight{upstream="app",origin="127.0.0.1:3000"} 2',
      'sluice_ejections_total{upstream="app",origin="127.0.0.1:3000"} 1',
      'sluice_origin_received_bytes_total{upstream="app",origin="127.0.0.1:3000"} 1099511627776',
      'sluice_errors_total{code="no-route"} 2',
      'sluice_thread_serving{thread="1"} 0',
      'sluice_thread_busy_ratio{thread="0"} 0.125',
      'sluice_config_last_reload_successful 0',
      'sluice_config_reloads_total{result="refused"} 1',
      'process_start_time_seconds 1795255200.5',
      'sluice_build_info{version="0.1.0",node="24.1.0"} 1',
    );
    assert.ok(!text.includes('busy_ratio{thread="1"}'), 'what is not known is not there');
  });

  test('a name that nobody should have chosen makes no line of its own', () => {
    const name = HOSTILE.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    has(
      `sluice_upstream_queue_limit{upstream="${name}"} +Inf`,
      `sluice_origin_errors_total{upstream="${name}",origin="${name}"} 7`,
    );
    assert.ok(!/^evil/m.test(text));
  });

  test('every line is a comment or a series, every series of a family stands with it, none comes twice', () => {
    const series = new Set<string>();
    const done = new Set<string>();
    let family = '';
    for (const line of text.slice(0, -1).split('\n')) {
      const help = /^# HELP (\w+) \S/.exec(line);
      if (help !== null) {
        done.add(family);
        family = help[1];
        assert.ok(!done.has(family), family);
        continue;
      }
      if (line.startsWith('# TYPE ')) {
        assert.equal(line.split(' ')[2], family);
        continue;
      }
      const match = /^(\w+)(\{(?:\w+="(?:[^"\\]|\\[\\"n])*",?)*\})? (?:\+Inf|NaN|-?[\d.]+(?:e[+-]\d+)?)$/.exec(line);
      assert.ok(match, line);
      assert.equal(match[1].replace(/_(?:bucket|sum|count)$/, ''), family.replace(/_(?:bucket|sum|count)$/, ''));
      const key = `${match[1]}${match[2] ?? ''}`;
      assert.ok(!series.has(key), key);
      series.add(key);
    }
  });

  test('names follow the conventions: counters end in _total, all have help, labels are told', () => {
    const names = new Set<string>();
    for (const { metrics, labels } of GROUPS) {
      for (const { name, type, help, label } of metrics) {
        assert.ok(!names.has(name), name);
        names.add(name);
        assert.match(name, /^(?:sluice|process)_[a-z_]+$/);
        assert.equal(name.endsWith('_total'), type === 'counter', name);
        if (type === 'histogram') assert.match(name, /_seconds$/);
        assert.match(help, /^[A-Z0-9].*\.$/, name);
        assert.ok(label === undefined || !labels.includes(label), name);
        assert.ok(text.includes(`# TYPE ${name} ${type}\n`), `${name} is written`);
      }
    }
  });

  test('a proxy without anything: no listener, no upstream, no error', () => {
    const empty = showMetrics({ ...figures(), listeners: [], routes: [], upstreams: [], threads: [], errors: {} });
    assert.ok(!empty.includes('sluice_requests_total'));
    assert.ok(empty.includes('sluice_build_info'));
  });
});
