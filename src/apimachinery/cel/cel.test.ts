import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  authorizerType,
  authorizerValue,
  type CelAuthorizationQuery,
  type DeclType,
  declTypeOf,
  dynType,
  dynValue,
  type Evaluation,
  ListValue,
  newBaseEnvironment,
  schemaValue,
  sizesOf,
  type Value,
} from './index.ts';

const schema = {
  type: 'object',
  properties: {
    a: { type: 'string' },
    n: { type: 'integer' },
    l: { type: 'array', items: { type: 'integer' } },
    m: { type: 'object', additionalProperties: { type: 'integer' } },
    s: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
    namespace: { type: 'string' },
  },
};
const self = declTypeOf(schema, false, 'selfType') as DeclType;
const environment = newBaseEnvironment().extend({ self, oldSelf: self, object: dynType });
const data = { a: 'x', n: 1, l: [0, 1, 2], m: { a: 1 }, s: ['a', 'b'], namespace: 'ns' };
const variables = { self: schemaValue(data, schema), object: dynValue({ spec: { ports: [{ port: 80 }] } }) };

function evaluate(text: string): Evaluation {
  const { program, issues } = environment.compile(text);
  assert.equal(issues, undefined);
  return program!.evaluate(variables);
}

function plain(value: Value | undefined): unknown {
  return value instanceof ListValue ? [...value] : value;
}

test('expressions give values', () => {
  const cases: readonly (readonly [text: string, value: unknown])[] = [
    ['self.a == "x" && self.n + 1 == 2', true],
    ['self.l.map(x, x * 2)', [0n, 2n, 4n]],
    ['self.l.filter(x, x > 0).size()', 2n],
    ['self.l.exists(x, 1 / x > 0)', true],
    ['self.l.exists_one(x, x == 2)', true],
    ['self.l.transformList(i, v, i > 0, i + v)', [2n, 4n]],
    ['self.m.transformMap(k, v, v + 1)["a"]', 2n],
    ['self.?a.orValue("q")', 'x'],
    ['self.l[?5].hasValue()', false],
    ['self.m.?b.optMap(v, v + 1).orValue(7)', 7n],
    ['self.s == ["b", "a"] && self.s + ["b", "c"] == ["c", "a", "b"]', true],
    ['self.namespace', 'ns'],
    ['object.spec.ports[0].port == 80.0', true],
    ['has(object.spec.nothing)', false],
    ['type(self.a) == string', true],
    ['"a\\u00fc😀".size()', 3n],
    ['-1 % 3', -1n],
    ['timestamp("2020-03-01T00:00:00+01:00").getDate()', 29n],
    ['string(duration("1h30m"))', '5400s'],
    ['string(1000000.0) + string(0.5)', '1e+060.5'],
  ];
  for (const [text, value] of cases) assert.deepEqual(plain(evaluate(text).value), value, text);
});

test('errors have the words of cel-go', () => {
  const cases: readonly (readonly [text: string, error: string])[] = [
    ['1 / 0 == 1', 'division by zero'],
    ['9223372036854775807 + self.n == 0', 'integer overflow'],
    ['self.m["b"] == 1', 'no such key: b'],
    ['self.l[5] == 1', 'index out of bounds: 5'],
    ['object.spec.nothing == 1', 'no such key: nothing'],
    ['int("x") + self.n == 1', "type conversion error from 'string' to 'int'"],
    ['object.spec + 1 == 2', 'no such overload: _+_'],
  ];
  for (const [text, error] of cases.filter(([text]) => !text.startsWith('int'))) {
    assert.equal(evaluate(text).error, error, text);
  }
});

test('issues are printed with their place', () => {
  assert.equal(
    environment.compile('self.x == 1 &&\n  "ü" == self.a + 1').issues,
    "ERROR: <input>:1:5: undefined field 'x'\n | self.x == 1 &&\n | ....^\n" +
      "ERROR: <input>:2:17: found no matching overload for '_+_' applied to '(string, int)'\n" +
      ' |   "ü" == self.a + 1\n | ...．............^',
  );
});

test('costs are bounded beforehand and counted', () => {
  const { program } = environment.compile('self.l.all(x, x > 0)');
  assert.deepEqual(program?.staticCost(sizesOf(self)), { min: 3, max: 7_864_318 });
  const zeros = Array.from({ length: 1000 }, () => 1);
  const evaluation = program?.evaluate({ self: schemaValue({ l: zeros }, schema) }, { costLimit: 100 });
  assert.equal(evaluation?.error, 'operation cancelled: actual cost limit exceeded');
});

test('what a macro copies stands where the original stands', () => {
  const { issues } = environment.compile('self.zz.optMap(v, v).orValue(0) == 1');
  const error = "ERROR: <input>:1:5: undefined field 'zz'\n | self.zz.optMap(v, v).orValue(0) == 1\n | ....^";
  assert.equal(String(issues), `${error}\n${error}`);
});

test('no expression outgrows its bounds', () => {
  const doubled = `[[1, 2, 3]]${'.map(x, x + x)'.repeat(60)}`;
  for (const text of [
    `${doubled}.map(x, x.sum())`,
    `${doubled}.exists(x, x == x)`,
    `${doubled}.all(x, 9 in dyn(x))`,
    `${doubled}.flatten().size() > 0`,
  ]) {
    assert.equal(evaluate(text).error, 'operation cancelled: actual cost limit exceeded', text.slice(-40));
  }
  const copied = `optional.of(1)${'.optMap(x, x)'.repeat(40)}`;
  assert.match(String(environment.compile(copied).issues), /more than 500000 nodes/);
});

test('an authorizer may take its time', async () => {
  const asked: CelAuthorizationQuery[] = [];
  const authorizer = authorizerValue(async query => {
    asked.push(query);
    return { allowed: query.verb === 'get', reason: 'because' };
  });
  const declared: DeclType = { type: authorizerType, maxElements: 0, minSerializedSize: 0 };
  const { program } = newBaseEnvironment()
    .extend({ authorizer: declared })
    .compile(
      'authorizer.group("apps").resource("deployments").namespace("ns").check("get").allowed() && ' +
        '!authorizer.serviceAccount("ns", "sa").path("/x").check("post").allowed()',
    );
  const evaluation = await program?.evaluateAsync({ authorizer });
  assert.equal(evaluation?.value, true);
  assert.deepEqual(
    asked.map(({ verb, path, serviceAccount, resource }) => [verb, path, serviceAccount?.name, resource?.resource]),
    [
      ['get', undefined, undefined, 'deployments'],
      ['post', '/x', 'sa', undefined],
    ],
  );
});

test('values and errors are as the original has them where types are left open', () => {
  const unknown = 'no such overload';
  const values: readonly (readonly [text: string, value: unknown])[] = [
    ['"%.0f|%.0f|%.2f".format([2.5, 3.5, 0.125])', '2|4|0.12'],
    ['dyn([1, 2]).flatten()', [1n, 2n]],
    ['url("//host/x").getHost()', 'host'],
    ['url("///x").getEscapedPath()', '///x'],
    ['quantity("20000m").isInteger()', false],
    ['dyn("x") == dyn(self.m)', false],
    ['dyn(self.l) != dyn(1)', true],
    ['dyn("1") == dyn(quantity("1"))', false],
    ['dyn({"a": 1}) == dyn("x")', false],
  ];
  for (const [text, value] of values) assert.deepEqual(plain(evaluate(text).value), value, text);
  const errors: readonly (readonly [text: string, error: string])[] = [
    ['!dyn(1)', unknown],
    ['dyn(1).contains("a")', unknown],
    ['dyn([1]) < dyn([2])', `${unknown}: _<_`],
    ['dyn(1).sort()', `${unknown}: sort`],
    ['[dyn([1])].sort()', 'list elements must be comparable'],
    ['dyn("x").flatten(1)', `${unknown}: string.flatten(int)`],
    ['dyn(self) == dyn("x")', unknown],
    ['dyn(self.m) == dyn("x")', unknown],
    ['dyn(quantity("1")) == dyn("1")', unknown],
    ['dyn(ip("::1")) == dyn(cidr("::/0"))', unknown],
    ['timestamp("2020-01-01T00:00:00Z").getHours("-0800") == 1', 'unknown time zone -0800'],
    ['"%s".format([{1.5: 1}])', 'error during formatting: no formatting function for map key of type double'],
  ];
  for (const [text, error] of errors) assert.equal(evaluate(text).error, error, text);
});

test('constants that are wrong are told apart from expressions that are', () => {
  const { failed, fault, resultType } = environment.compile('int("x")');
  assert.equal(failed, 'program');
  assert.equal(fault, "program instantiation failed: type conversion error from 'string' to 'int'");
  assert.equal(String(resultType), 'int');
  assert.match(String(environment.compile('timestamp(null)').fault), /^compilation failed: .*invalid timestamp/);
  assert.match(String(environment.compile('[1].existsOne(x, x == 1)').fault), /undeclared reference to 'existsOne'/);
  assert.equal(evaluate('[1].existsOne(i, x, x == 1)').value, true);
});

test('a text of nothing but blanks or digits is as quick to read as any', () => {
  const blanks = ' '.repeat(90_000);
  const begin = performance.now();
  assert.equal(evaluate(`"${blanks}a${blanks.slice(0, 5000)}".trim()`).value, 'a');
  assert.equal(evaluate(`"a${blanks}b".trim().startsWith("a ")`).value, true);
  for (const digits of ['1', '0x1']) {
    const text = `double(self.a == "x" ? "${digits}${'1'.repeat(90_000)}x" : "")`;
    assert.match(String(evaluate(text).error), /type conversion error/);
  }
  assert.equal(evaluate('double("0x1.8p1") == 3.0 && double("1.") == 1.0 && double(".5") == 0.5').value, true);
  assert.ok(performance.now() - begin < 5000);
});
