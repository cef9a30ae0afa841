/**
 * Expressions over `claims` and `user`. Claims are a map of anything, whose numbers are doubles whatever they look like
 * and whose keys can be written with escapes (`claims.a__dot__b`). Upstream: apiserver pkg/authentication/cel,
 * pkg/cel/lazy, plugin/pkg/authenticator/token/oidc/oidc.go.
 */
import { baseEnvironment, listDecl, mapDecl, stringDecl, structDecl } from '#api/expressions';
import {
  ArrayList,
  type DeclType,
  type Environment,
  ListValue,
  MapValue,
  type Program,
  types,
  unescapeName,
  type Value,
} from '#apimachinery/cel';
import type { TokenClaims } from '#pki';
import { Refused } from '../authenticator.ts';
import type { UserInfo } from '../user.ts';

const anyDecl: DeclType = { type: types.any, minSerializedSize: 1, maxElements: 0 };

const variables = {
  claims: { claims: mapDecl(stringDecl, anyDecl) },
  user: {
    user: structDecl('kubernetes.UserInfo', {
      username: stringDecl,
      uid: stringDecl,
      groups: listDecl(stringDecl),
      extra: mapDecl(stringDecl, listDecl(stringDecl)),
    }),
  },
} as const;

/** A compiled expression and how it was written. */
export interface Expression {
  readonly text: string;
  readonly program: Program;
}

export type Compiled = { readonly expression: Expression; readonly error?: undefined } | { readonly error: string };

/** Compiles expressions, in one environment for each variable. */
export class ClaimsCompiler {
  readonly #environments = new Map<string, Environment>();

  compile(text: string, variable: 'claims' | 'user', result: 'any' | 'bool'): Compiled {
    let environment = this.#environments.get(variable);
    if (!environment) {
      environment = baseEnvironment().extend(variables[variable]);
      this.#environments.set(variable, environment);
    }
    const compiled = environment.compile(text);
    if (compiled.failed === 'compilation') return { error: compiled.fault };
    if (result === 'bool' && compiled.resultType !== types.bool) return { error: 'must evaluate to bool' };
    if (compiled.failed) return { error: compiled.fault };
    return { expression: { text, program: compiled.program } };
  }
}

/** Throws a Refused. */
export function evaluate({ text, program }: Expression, variable: 'claims' | 'user', value: Value): Value {
  const outcome = program.evaluate(name => (name === variable ? value : undefined));
  if (outcome.error !== undefined) throw new Refused(`expression '${text}' resulted in error: ${outcome.error}`);
  return outcome.value;
}

/** The claims as expressions see them. */
export function claimsValue(claims: TokenClaims): Value {
  return new Claims(claims, true);
}

export function userValue({ name, uid, groups, extra }: UserInfo): Value {
  return new Claims({ username: name, uid, groups, extra }, true);
}

function celValue(json: unknown): Value {
  if (Array.isArray(json)) return new ArrayList(json.map(celValue));
  if (json === null || json === undefined) return null;
  return typeof json === 'object' ? new Claims(json as TokenClaims, false) : (json as Value);
}

/** `isTop`: a name whose escapes are not valid is none of its keys; below, it is looked for as it stands. */
class Claims extends MapValue {
  readonly #json: TokenClaims;
  readonly #isTop: boolean;

  constructor(json: TokenClaims, isTop: boolean) {
    super();
    this.#json = json;
    this.#isTop = isTop;
  }

  get size(): number {
    return Object.keys(this.#json).length;
  }

  find(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const name = unescapeName(key) ?? (this.#isTop ? undefined : key);
    return name !== undefined && Object.hasOwn(this.#json, name) ? celValue(this.#json[name]) : undefined;
  }

  keys(): Iterable<Value> {
    return Object.keys(this.#json);
  }
}

const notStrings = 'expression must return a string or a list of strings';

/** A string or strings, those that are empty left out; nothing for null. Throws a Refused for anything else. */
export function stringsOf(value: Value): string[] {
  if (value === null) return [];
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (!(value instanceof ListValue)) throw new Refused(notStrings);
  const strings: string[] = [];
  for (const each of value) {
    if (typeof each !== 'string') throw new Refused(notStrings);
    if (each !== '') strings.push(each);
  }
  return strings;
}
