import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base';
import type { ServerRequest } from '../http/message.ts';
import { debug } from './debug.ts';

const levels: number[] = [];

async function ask(method: string, path: string, body = '', canSet = true): Promise<string | undefined> {
  const request = { method, path, body: async () => Buffer.from(body) } as unknown as ServerRequest;
  const set = canSet ? (level: number): void => void levels.push(level) : undefined;
  const answer = await debug(request, new SteppedClock(), set);
  if (answer?.body.kind !== 'bytes') return undefined;
  return `${answer.status} ${Buffer.from(answer.body.bytes)}`;
}

describe('/debug/flags', () => {
  it('lists what can be set', async () => {
    assert.match((await ask('GET', '/debug/flags/x'))!, /<table>\n<tr>v<br>\n<\/table>/);
    assert.match((await ask('GET', '/debug/flags', '', false))!, /<table>\n<\/table>/);
  });

  for (const [body, answer] of [
    ['4', '200 successfully set klog.logging.verbosity to 4\n'],
    ['', '400 strconv.ParseUint: parsing "": invalid syntax\n'],
    ['-1', '400 strconv.ParseUint: parsing "-1": invalid syntax\n'],
    ['3\n', '400 strconv.ParseUint: parsing "3\\n": invalid syntax\n'],
    ['4294967296', '400 strconv.ParseUint: parsing "4294967296": value out of range\n'],
    [
      '2147483648',
      '400 failed set klog.logging.verbosity 2147483648: strconv.ParseInt: parsing "2147483648": value out of range\n',
    ],
  ] as const) {
    it(`v: ${JSON.stringify(body)}`, async () => {
      levels.length = 0;
      assert.equal(await ask('PUT', '/debug/flags/v', body), answer);
      assert.deepEqual(levels, answer.startsWith('200') ? [4] : []);
    });
  }

  it('is only put', async () => {
    assert.equal(await ask('GET', '/debug/flags/v'), '406 unsupported http method\n');
  });
});
