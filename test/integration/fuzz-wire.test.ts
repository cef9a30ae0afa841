/** A few seconds of what `npm run fuzz` does to connections for minutes; nothing may be left of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dice } from '../fuzz/dice.ts';
import { fuzzWire } from '../fuzz/wire.ts';
import { startTestApiServer } from '../support/api-server.ts';
import { send } from '../support/http.ts';

test('odd bytes on connections harm nobody else and leave nothing behind', { timeout: 120_000 }, async () => {
  await using server = await startTestApiServer();
  const { conversations, problems } = await fuzzWire(server, new Dice(20260101), 4);
  assert.deepEqual(problems, []);
  assert.ok(conversations >= 8, `${conversations} conversations`);
  const gauge = async (): Promise<number> => {
    const { text } = await send(server, { path: '/metrics' });
    return [...text.matchAll(/^apiserver_longrunning_requests\{.*\} (\d+)$/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  };
  for (let at = 0; at < 100 && (await gauge()) > 0; at++) await new Promise(resolve => setTimeout(resolve, 50));
  assert.equal(await gauge(), 0, 'watches of clients that are gone');
});
