/**
 * Properties of the codecs over objects of every kind, as their types allow them: what one encoding carries the others
 * carry too, and encoding what was decoded gives the same bytes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { builtinTypes, resources } from '#api/tables';
import {
  InputError,
  parseYaml,
  readJson,
  readProtobuf,
  type StructNode,
  withoutEmptyLists,
  writeJson,
  writeProtobuf,
  writeYaml,
} from '#apimachinery';
import { Dice } from '../fuzz/dice.ts';
import { madeObject, subjects } from '../fuzz/objects.ts';

const kinds = subjects();
const drawn = fc.record({ kind: fc.constantFrom(...kinds), seed: fc.nat() });

/** An object of the kind and its type; undefined for chance's rare text that protobuf cannot carry (a lone surrogate). */
function objectOf({ kind, seed }: { kind: (typeof kinds)[number]; seed: number }): [object, StructNode] | undefined {
  const object = madeObject(kind, new Dice(seed));
  if (!JSON.stringify(object).isWellFormed() || /\\ud[89a-f]/i.test(JSON.stringify(object))) return undefined;
  return [object, builtinTypes.struct(kind.facts.typeName)];
}

test('every kind is drawn', () => {
  assert.ok(kinds.length > 50);
  assert.ok(kinds.length <= resources.length);
});

test('JSON that was read is written as it was', () => {
  fc.assert(
    fc.property(drawn, draw => {
      const made = objectOf(draw);
      if (!made) return;
      const [object, struct] = made;
      const first = readJson(writeJson(object, struct), struct);
      assert.deepEqual(first.strictErrors, []);
      // Quantities have been made canonical by now.
      const text = writeJson(first.value, struct);
      assert.equal(writeJson(readJson(text, struct).value, struct), text);
    }),
    { numRuns: 600 },
  );
});

test('protobuf that was read is written as it was, and holds what JSON holds', () => {
  fc.assert(
    fc.property(drawn, draw => {
      const made = objectOf(draw);
      if (!made) return;
      const [object, struct] = made;
      const { value } = readJson(writeJson(object, struct), struct);
      const bytes = writeProtobuf(value as object, struct);
      const read = readProtobuf(bytes, struct);
      assert.ok(Buffer.from(writeProtobuf(read, struct)).equals(bytes));
      const {
        kind: _kind,
        apiVersion: _version,
        ...rest
      } = withoutEmptyLists(value as never, struct) as {
        kind?: string;
        apiVersion?: string;
      };
      const again = readJson(writeJson(read, struct), struct).value as object;
      assert.ok(Buffer.from(writeProtobuf(again, struct)).equals(writeProtobuf(rest, struct)));
    }),
    { numRuns: 600 },
  );
});

test('YAML that was written reads as the same JSON', () => {
  fc.assert(
    fc.property(drawn, draw => {
      const made = objectOf(draw);
      if (!made) return;
      const json = JSON.parse(writeJson(made[0], made[1]));
      assert.deepEqual(parseYaml(writeYaml(json)).value, json);
    }),
    { numRuns: 600 },
  );
});

test('bytes of chance are refused in words or are an object', () => {
  fc.assert(
    fc.property(drawn, fc.uint8Array({ maxLength: 400 }), ({ kind }, bytes) => {
      const struct = builtinTypes.struct(kind.facts.typeName);
      for (const read of [() => readProtobuf(bytes, struct), () => readJson(Buffer.from(bytes).toString(), struct)]) {
        try {
          read();
        } catch (error) {
          assert.ok(error instanceof InputError, String((error as Error).stack));
        }
      }
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    }),
    { numRuns: 2000 },
  );
});
