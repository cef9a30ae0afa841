import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Expr } from './ast.ts';
import { parse } from './parser.ts';

const expression =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** Issues without their snippets. */
function faults(text: string): string[] {
  return parse(text)
    .issues.toString()
    .split('\n')
    .filter(line => line.startsWith('ERROR'))
    .map(line => line.replace('ERROR: <input>:', '').replaceAll(expression, 'EXPR'));
}

test('syntax errors have the words of the original', () => {
  const cases: readonly (readonly [text: string, ...faults: string[]])[] = [
    ['', "1:0: Syntax error: mismatched input '<EOF>' expecting EXPR"],
    ['a b', "1:3: Syntax error: extraneous input 'b' expecting <EOF>"],
    ['a b c', "1:3: Syntax error: mismatched input 'b' expecting <EOF>"],
    ['(a', "1:3: Syntax error: missing ')' at '<EOF>'"],
    ['a.', "1:3: Syntax error: no viable alternative at input '.'"],
    [
      'a.in',
      "1:3: Syntax error: no viable alternative at input '.in'",
      "1:5: Syntax error: mismatched input '<EOF>' expecting EXPR",
    ],
    ['a.null', "1:3: Syntax error: mismatched input 'null' expecting IDENTIFIER"],
    ['f(1, )', "1:6: Syntax error: mismatched input ')' expecting EXPR"],
    ['[1, 2', "1:6: Syntax error: mismatched input '<EOF>' expecting {']', ','}"],
    [
      '{1, 2}',
      "1:3: Syntax error: mismatched input ',' expecting ':'",
      "1:5: Syntax error: extraneous input '2' expecting '}'",
    ],
    ['a ? b', "1:6: Syntax error: mismatched input '<EOF>' expecting ':'"],
    [
      '1 + -',
      "1:6: Syntax error: no viable alternative at input '-'",
      "1:6: Syntax error: mismatched input '<EOF>' expecting EXPR",
    ],
    [
      'a & b',
      "1:3: Syntax error: token recognition error at: '& '",
      "1:5: Syntax error: extraneous input 'b' expecting <EOF>",
    ],
    [
      '"x',
      "1:1: Syntax error: token recognition error at: '\"x'",
      "1:3: Syntax error: mismatched input '<EOF>' expecting EXPR",
    ],
    ['has(a.)', '1:5: invalid argument to has() macro', "1:7: Syntax error: no viable alternative at input '.)'"],
    ['a.`b`', "1:3: unsupported syntax: '`'"],
    ['for', '1:1: reserved identifier: for'],
    ['99999999999999999999', '1:1: invalid int literal'],
    [
      `@${'['.repeat(300)}`,
      '-1:0: expression recursion limit exceeded: 250',
      "1:1: Syntax error: token recognition error at: '@'",
    ],
    [`${'('.repeat(300)}1`, '-1:0: expression recursion limit exceeded: 250'],
    [
      `@${'('.repeat(300)}1`,
      '-1:0: expression recursion limit exceeded: 250',
      "1:1: Syntax error: token recognition error at: '@'",
    ],
  ];
  for (const [text, ...expected] of cases) assert.deepEqual(faults(text), expected, text);
});

/** A tree in prefix form. */
function show(expr: Expr): string {
  switch (expr.kind) {
    case 'literal':
      return typeof expr.value === 'bigint' ? String(expr.value) : JSON.stringify(expr.value);
    case 'ident':
      return expr.name;
    case 'select':
      return `${show(expr.operand)}.${expr.field}${expr.testOnly ? '~' : ''}`;
    case 'call':
      return `${expr.target === undefined ? '' : `${show(expr.target)}.`}${expr.function}(${expr.args.map(show).join(', ')})`;
    default:
      return expr.kind;
  }
}

test('operators bind as the grammar says', () => {
  const cases: readonly (readonly [text: string, tree: string])[] = [
    ['a + b * c - d', '_-_(_+_(a, _*_(b, c)), d)'],
    ['a && b && c && d', '_&&_(_&&_(a, b), _&&_(c, d))'],
    ['-1 - -x', '_-_(-1, -_(x))'],
    ['!!!a.b[0]', '!_(_[_](a.b, 0))'],
    ['a ? b : c ? d : e', '_?_:_(a, b, _?_:_(c, d, e))'],
    ['a == b in c', '@in(_==_(a, b), c)'],
    ['has(a.b)', 'a.b~'],
    ['a.?b[?c]', '_[?_](_?._(a, "b"), c)'],
    ['.a.b()', '.a.b()'],
    ['"\\x41\\u00e9" + r"\\n"', '_+_("Aé", "\\\\n")'],
  ];
  for (const [text, tree] of cases) {
    const { parsed, issues } = parse(text);
    assert.equal(issues.count, 0, issues.toString());
    assert.equal(show(parsed.expr), tree);
  }
});

test('no text makes the parser fail or hang', () => {
  const pieces = fc.constantFrom(
    ...'a b 1 1u 1.5 "s" b"s" ( ) [ ] { } . , ? : + - * / % ! && || == != < <= in true null has all map filter'.split(
      ' ',
    ),
    ...['\n', ' ', '"', '\\', '@', '`', '😀', '\u0000', '.all(x,', 'has(', '{?'],
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 60 }).map(parts => parts.join(' ')),
  );
  fc.assert(
    fc.property(texts, text => {
      const { issues } = parse(text);
      assert.equal(typeof issues.toString(), 'string');
    }),
    { numRuns: 150 },
  );
});
