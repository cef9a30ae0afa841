/**
 * Lists that are made in pieces are what one encoding of the whole list would be, in every encoding and form, and
 * others have their turns meanwhile.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { builtinTypes } from '#api/tables';
import { readProtobufObject, writeProtobufObject, writeYaml } from '#apimachinery';
import { systemClock } from '#base';
import type { Transport } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

const count = 400;
const path = '/api/v1/namespaces/default/configmaps';
const transforms = 'v=v1;g=meta.k8s.io';
let server: TestApiServer;
let transport: Transport;

before(async () => {
  // No second passes between two answers, so that the ages in a table are equal.
  const startedAtMs = systemClock.now();
  server = await startTestApiServer({ clock: { ...systemClock, now: () => startedAtMs } });
  transport = server.transport();
  for (let at = 0; at < count; at++) {
    const data = { text: `line ${at}: é\n  "quoted" 😀`, long: 'x '.repeat(at === 7 ? 200_000 : 300) };
    const body = { metadata: { name: `m${at}`, labels: { even: String(at % 2 === 0) } }, data };
    await transport.request({ method: 'POST', path, body });
  }
});
after(() => server[Symbol.asyncDispose]());

async function get(accept: string, query: ReadonlyArray<readonly [string, string]> = []): Promise<Buffer> {
  const answer = await transport.request({ method: 'GET', path, query, headers: { accept } });
  return Buffer.concat(await Array.fromAsync(answer.bytes()));
}

const forms = ['', `;as=Table;${transforms}`, `;as=PartialObjectMetadataList;${transforms}`];
for (const form of forms) {
  test(`YAML and pretty JSON are those of the plain JSON list${form}`, async () => {
    const text = (await get(`application/json${form}`)).toString();
    const list = JSON.parse(text) as { items?: unknown[]; rows?: unknown[] };
    assert.equal((list.items ?? list.rows)?.length, count);
    assert.equal(text, `${JSON.stringify(list)}\n`);
    assert.equal((await get(`application/json${form};pretty=1`)).toString(), JSON.stringify(list, null, 2));
    assert.equal((await get(`application/yaml${form}`)).toString(), writeYaml(list));
  });
}

for (const [form, kind, type] of [
  ['', 'ConfigMapList', 'io.k8s.api.core.v1.ConfigMapList'],
  [forms[2], 'PartialObjectMetadataList', 'io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadataList'],
] as const) {
  test(`protobuf is the encoding of the same ${kind}, first and from what is kept`, async () => {
    const struct = builtinTypes.struct(type);
    const list = JSON.parse((await get(`application/json${form}`)).toString());
    const whole = Buffer.from(writeProtobufObject(list, struct));
    for (let round = 0; round < 2; round++) {
      const bytes = await get(`application/vnd.kubernetes.protobuf${form}`);
      assert.ok(bytes.equals(whole));
      assert.equal(readProtobufObject(bytes, () => struct).kind, kind);
    }
  });
}

test('an empty list and one of a selector that matches nothing are lists too', async () => {
  for (const accept of ['application/json', 'application/yaml', `application/json${forms[1]}`]) {
    const text = (await get(accept, [['labelSelector', 'even=maybe']])).toString();
    assert.match(text, /"?(items|rows)"?: ?\[\]/);
  }
});

test('pages with a selector count what passes', async () => {
  const names: string[] = [];
  for (let token = ''; ; ) {
    const query = [
      ['labelSelector', 'even=true'],
      ['limit', '30'],
      ['continue', token],
    ] as const;
    const page = JSON.parse((await get('application/json', query)).toString());
    names.push(...page.items.map((item: { metadata: { name: string } }) => item.metadata.name));
    token = page.metadata.continue ?? '';
    if (token === '') break;
    assert.equal(page.items.length, 30);
  }
  assert.equal(new Set(names).size, count / 2);
});

test('nothing is held while a large list is encoded', async () => {
  let turns = 0;
  let listing = true;
  const tick = (): void => {
    turns++;
    if (listing) setImmediate(tick);
  };
  setImmediate(tick);
  const bytes = await get('application/yaml');
  listing = false;
  assert.ok(turns > bytes.length / 200_000, `${turns} turns for ${bytes.length} bytes`);
});

test('flow schemas are shown by precedence', async () => {
  const answer = await transport.request({
    method: 'GET',
    path: '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas',
    headers: { accept: `application/json;as=Table;${transforms}` },
  });
  const { rows } = (await answer.json()) as unknown as { rows: Array<{ cells: [string, string, number] }> };
  const precedences = rows.map(row => row.cells[2]);
  assert.ok(precedences.length > 5);
  assert.deepEqual(
    precedences,
    precedences.toSorted((a, b) => a - b),
  );
});
