import assert from 'node:assert/strict';
import { it } from 'node:test';
import { klogLine } from './klog.ts';

it('writes a line of the log as klog does', () => {
  const line = JSON.stringify({
    time: '2026-11-21T16:52:11.695Z',
    level: 'warn',
    message: 'a "b"',
    url: 'https://x',
    n: 3,
  });
  assert.equal(klogLine(line, 42), 'W1121 16:52:11.695000      42 kobune] "a \\"b\\"" url="https://x" n=3');
});
