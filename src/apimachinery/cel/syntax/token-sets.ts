/**
 * Which tokens can begin and follow each rule of the grammar. Upstream: cel-go parser/gen/CEL.g4.
 */
import { T } from './lexer.ts';

/** What can follow the rule that is being read, inside of the rule that called it. */
export interface Follow {
  readonly tokens: ReadonlySet<number>;
  /** The calling rule may end there. */
  readonly canEnd: boolean;
}

export type FollowName =
  | 'start'
  | 'condition'
  | 'whenTrue'
  | 'end'
  | 'or'
  | 'and'
  | 'relation'
  | 'calc'
  | 'member'
  | 'index'
  | 'paren'
  | 'listParts'
  | 'braceParts'
  | 'comma'
  | 'colon';

export const follow = (tokens: readonly number[], canEnd = false): Follow => ({ tokens: new Set(tokens), canEnd });

export const startsExpr: readonly number[] = [
  T.leftBracket,
  T.leftBrace,
  T.leftParen,
  T.dot,
  T.minus,
  T.not,
  T.true,
  T.false,
  T.null,
  T.float,
  T.int,
  T.uint,
  T.string,
  T.bytes,
  T.identifier,
];
export const startsMember: readonly number[] = startsExpr.filter(type => type !== T.not);
export const relationTypes: readonly number[] = [
  T.equals,
  T.notEquals,
  T.in,
  T.less,
  T.lessEquals,
  T.greaterEquals,
  T.greater,
];
export const calcTypes: readonly number[] = [T.star, T.slash, T.percent, T.plus, T.minus];
export const memberTypes: readonly number[] = [T.dot, T.leftBracket];

export const follows: Readonly<Record<FollowName, Follow>> = {
  start: follow([T.eof]),
  condition: follow([T.question], true),
  whenTrue: follow([T.colon]),
  end: follow([], true),
  or: follow([T.or], true),
  and: follow([T.and], true),
  relation: follow(relationTypes, true),
  calc: follow(calcTypes, true),
  member: follow(memberTypes, true),
  index: follow([T.rightBracket]),
  paren: follow([T.rightParen]),
  listParts: follow([T.comma, T.rightBracket]),
  braceParts: follow([T.comma, T.rightBrace]),
  comma: follow([T.comma], true),
  colon: follow([T.colon]),
};

/** What begins an element of a list. */
export const startsOptional: readonly number[] = [T.question, ...startsExpr];
