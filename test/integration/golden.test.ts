/**
 * Every object of upstream's golden data, as JSON and as protobuf: both decode to the same object, and the object
 * encodes to the same bytes. Skipped where the reference data is not beside the repository.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { builtinTypes, typeNameOf } from '#api/tables';
import { parseApiVersion, readEnvelope, readJson, readProtobuf, writeJson, writeProtobufObject } from '#apimachinery';
import { referenceFolder } from '../reference.ts';

const reference = referenceFolder();
const folder = reference && join(reference, 'kubernetes-v1.36', 'golden');
const names = folder ? readdirSync(folder).filter(name => name.endsWith('.pb')) : [];

/** Kind and version as the file is named: WatchEvent does not name itself. */
function typeOf(file: string, meta: { apiVersion: string; kind: string }): string {
  const gv = meta.apiVersion ? parseApiVersion(meta.apiVersion) : { group: '', version: 'v1' };
  const name = typeNameOf({ ...gv, kind: meta.kind || file.split('.').at(-2)! });
  assert.ok(name, `${file}: no definition`);
  return name;
}

/** The text as Go's encoder makes it: without white space, with its escapes. */
function goText(json: string): string {
  const escapes: Record<string, string> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' };
  return JSON.stringify(JSON.parse(json)).replace(/[<>&]/g, char => escapes[char]!);
}

test('golden objects', { skip: folder ? false : 'no reference data beside the repository' }, async t => {
  assert.ok(names.length > 180, `${names.length} files`);
  for (const name of names) {
    await t.test(name.slice(0, -3), () => {
      const bytes = readFileSync(join(folder!, name));
      const json = readFileSync(join(folder!, name.replace(/pb$/, 'json')), 'utf8');
      const { raw, apiVersion, kind } = readEnvelope(bytes);
      const node = builtinTypes.struct(typeOf(name, { apiVersion, kind }));
      const fromJson = readJson(json, node);
      assert.deepEqual(fromJson.strictErrors, []);
      const fromBytes = { ...(kind ? { kind, apiVersion } : {}), ...readProtobuf(raw, node) };
      assert.deepEqual(fromBytes, fromJson.value);
      assert.equal(writeJson(fromBytes, node), goText(json));
      assert.deepEqual(Buffer.from(writeProtobufObject(fromJson.value as object, node)), bytes);
    });
  }
});
