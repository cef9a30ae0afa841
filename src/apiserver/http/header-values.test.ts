import assert from 'node:assert/strict';
import { validateHeaderValue } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { sendableHeaders, utf8Header } from './header-values.ts';

test('whatever a header is to say, Node sends it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const { warning, allow } = sendableHeaders({ warning: [text, utf8Header(text)], allow: text });
      for (const value of [warning, allow].flat()) validateHeaderValue('warning', value!);
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('bytes stay as they are, and words become bytes', () => {
  const bytes = Buffer.from('é日').toString('latin1');
  assert.deepEqual(sendableHeaders({ a: 'plain', b: bytes, c: 'é日', d: 'a\r\nb: c' }), {
    a: 'plain',
    b: bytes,
    c: bytes,
    d: 'a  b: c',
  });
});
