import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Query, type ServerRequest } from '../http/message.ts';
import { checkConsumed, checkStream, negotiateOutput, type OutputType } from './negotiation.ts';

function accepting(accept: string): OutputType {
  const headers = { accept };
  return negotiateOutput({ headers, query: Query.parse('') } as unknown as ServerRequest);
}

test('YAML has no frames: it is refused for a stream, and as the encoding of one', () => {
  assert.throws(() => checkStream(accepting('application/yaml')), {
    code: 406,
    message: /json;stream=watch, .*protobuf;stream=watch$/,
  });
  checkStream(accepting('application/json'));
  assert.throws(() => accepting('application/yaml;stream=watch'), { code: 406 });
  assert.equal(accepting('application/yaml;stream=watch,application/json;stream=watch').mediaType, 'application/json');
  assert.equal(accepting('application/yaml;stream=').mediaType, 'application/yaml');
});

test('what a request says of its body is judged even where a route reads none', () => {
  const check = (type: string): void =>
    checkConsumed({ headers: { 'content-type': type } } as unknown as ServerRequest, ['application/json']);
  for (const type of ['', 'application/json', 'application/json; charset=utf-8', 'text/x, application/json'])
    check(type);
  for (const type of ['application/xml', '*/*', 'application/jsonx'])
    assert.throws(() => check(type), { code: 415 }, type);
});
