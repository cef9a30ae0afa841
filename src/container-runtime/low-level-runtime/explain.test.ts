import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainExecError, explainRuntimeError } from './explain.ts';

const create = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: ';
const exec = 'failed to exec in container: failed to start exec "e1": OCI runtime exec failed: exec failed: ';
const notFound = 'unable to start container process: exec: "nope": executable file not found in $PATH: unknown';

for (const [what, text] of [
  ['crun', 'executable file `nope` not found in $PATH: No such file or directory'],
  ['runc', 'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH'],
] as const) {
  test(`a missing command is told in the same words whatever ${what} says`, () => {
    assert.equal(explainRuntimeError(text, 'nope'), create + notFound);
    assert.equal(explainExecError(text, 'nope', 'e1'), exec + notFound);
  });
}

test('a missing file and one without permission are told apart', () => {
  const unable = 'unable to start container process: exec: "/a/b": ';
  for (const text of ['open executable: No such file or directory', 'executable file `/a/b` not found in $PATH']) {
    assert.equal(explainRuntimeError(text, '/a/b'), `${create}${unable}stat /a/b: no such file or directory: unknown`);
  }
  assert.equal(
    explainRuntimeError('open executable: Permission denied', '/a/b'),
    `${create}${unable}permission denied: unknown`,
  );
});

test('anything else is passed on as it is', () => {
  assert.equal(explainRuntimeError('cannot set memory limit', 'x'), `${create}cannot set memory limit: unknown`);
});
