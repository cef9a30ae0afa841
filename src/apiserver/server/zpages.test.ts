import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base';
import { FeatureGates } from '../features/feature-gates.ts';
import { Query, type ServerRequest } from '../http/message.ts';
import { zpages } from './zpages.ts';

const startedMs = Date.UTC(2026, 10, 1, 9, 0, 0);
const clock = new SteppedClock({ startMs: startedMs + 3_723_000 });
const paths = ['/api/v1', '/healthz/ping', '/statusz', '/openid/v1/jwks'];

function get(
  path: string,
  accept?: string,
  settings = {},
): { type: string; warning: unknown; text: string } | undefined {
  const flags = { v: '4', 'audit-log-path': '' };
  const pages = zpages({ clock, features: new FeatureGates(settings), flags, startedMs });
  const headers = accept === undefined ? {} : { accept };
  const request = { method: 'GET', path, headers, query: Query.empty } as unknown as ServerRequest;
  const answer = pages.get(path)?.(request, paths);
  if (!answer) return undefined;
  const text = answer.body.kind === 'bytes' ? Buffer.from(answer.body.bytes).toString() : '';
  return { type: String(answer.headers['content-type']), warning: answer.headers['warning'], text };
}

describe('/flagz and /statusz', () => {
  it('are text for people', () => {
    const warning =
      'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';
    assert.equal(get('/flagz')?.text, `\napiserver flagz\n${warning}\naudit-log-path: \nv: 4\n`);
    const lines = get('/statusz', 'text/plain, */*')?.text.split('\n') ?? [];
    assert.deepEqual(lines.slice(0, 6), [
      '',
      'apiserver statusz',
      warning,
      '',
      'Started: Sun Nov  1 09:00:00 UTC 2026',
      'Up: 1 hr 02 min 03 sec',
    ]);
    assert.deepEqual(lines.slice(8), ['Emulation version: 1.36', 'Paths: /healthz /statusz', '']);
  });

  it('are kinds of config.k8s.io for who names one', () => {
    const shown = get('/statusz', 'application/json;v=v1beta1;g=config.k8s.io;as=Statusz')!;
    assert.equal(shown.type, 'application/json;g=config.k8s.io;v=v1beta1;as=Statusz');
    const { kind, apiVersion, uptimeSeconds, startTime } = JSON.parse(shown.text);
    assert.deepEqual(
      { kind, apiVersion, uptimeSeconds, startTime },
      { kind: 'Statusz', apiVersion: 'config.k8s.io/v1beta1', uptimeSeconds: 3723, startTime: '2026-11-01T09:00:00Z' },
    );
    const old = get('/flagz', 'application/yaml;v=v1alpha1;g=config.k8s.io;as=Flagz')!;
    assert.match(
      old.text,
      /^apiVersion: config.k8s.io\/v1alpha1\nflags:\n {2}audit-log-path: ""\n {2}v: "4"\nkind: Flagz\n/,
    );
    assert.match(String(old.warning), /^299 - "This version of the flagz endpoint is deprecated/);
  });

  for (const accept of [
    'application/json',
    'text/html',
    'application/json;v=v1;g=config.k8s.io;as=Statusz',
    'application/json;v=v1beta1;g=config.k8s.io;as=Flagz',
    'text/plain;v=v1beta1;g=config.k8s.io;as=Statusz',
    'application/vnd.kubernetes.protobuf;v=v1beta1;g=config.k8s.io;as=Statusz',
  ]) {
    it(`are nothing else: ${accept}`, () => {
      const message = 'only the following media types are accepted: application/json, application/yaml, text/plain';
      assert.throws(() => get('/statusz', accept), { message });
    });
  }

  it('can be switched off', () => {
    assert.equal(get('/flagz', undefined, { ComponentFlagz: false }), undefined);
    assert.equal(get('/statusz', undefined, { ComponentStatusz: false }), undefined);
  });
});
