import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReference, parseReference } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

for (const [text, normal] of [
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['team/app', 'docker.io/team/app:latest'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1'],
  ['registry.k8s.io/e2e-test-images/agnhost:2.47', 'registry.k8s.io/e2e-test-images/agnhost:2.47'],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`],
  [`ghcr.io/a/b:c@${digest}`, `ghcr.io/a/b:c@${digest}`],
  ['index.docker.io/library/x', 'docker.io/library/x:latest'],
] as const) {
  test(`${text} is ${normal}`, () => assert.equal(formatReference(parseReference(text)), normal));
}

for (const text of [
  '',
  'UPPER',
  'a b',
  'x:',
  'x@sha256:12',
  'https://x/y',
  '-x',
  'x:tag:tag',
  `x@${digest}@${digest}`,
]) {
  test(`${JSON.stringify(text)} is refused`, () =>
    assert.throws(() => parseReference(text), /invalid reference format/));
}
