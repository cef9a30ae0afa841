/**
 * What verified claims make of their bearer, by claims or by expressions, and whether the rules of the configuration
 * take them and the user. Upstream: plugin/pkg/authenticator/token/oidc/oidc.go (getUsername …).
 */
import type { Value } from '#apimachinery/cel';
import type { TokenClaims } from '#pki';
import { Refused } from '../authenticator.ts';
import { type UserInfo, user } from '../user.ts';
import type { ClaimMappings, ClaimValidationRule, JwtAuthenticatorConfiguration } from './configuration.ts';
import { claimsValue, type Expression, evaluate, stringsOf, userValue } from './expressions.ts';
import type { AuthenticatorExpressions, RuleExpression } from './validate.ts';

const credentialId = 'authentication.kubernetes.io/credential-id';

export interface MappingOptions {
  readonly configuration: JwtAuthenticatorConfiguration;
  readonly expressions: AuthenticatorExpressions;
}

/** Throws a Refused. */
export function mappedUser(claims: TokenClaims, { configuration, expressions }: MappingOptions): UserInfo {
  const { claimMappings, claimValidationRules } = configuration;
  const value = claimsValue(claims);
  const name = nameOf(claims, value, claimMappings.username, expressions.username);
  const groups = groupsOf(claims, value, claimMappings.groups, expressions.groups);
  const uid = uidOf(claims, value, claimMappings.uid, expressions.uid);
  const found = user(name, groups, { uid, extra: extraOf(claims, value, expressions.extra) });
  checkRequiredClaims(claims, claimValidationRules);
  told('oidc: error evaluating claim validation expression: ', () =>
    checkRules(expressions.claimRules, 'claims', value),
  );
  if (expressions.userRules.length > 0) {
    told('oidc: error evaluating user info validation rule: ', () =>
      checkRules(expressions.userRules, 'user', userValue(found)),
    );
  }
  return found;
}

/** The same refusals, each with where they come from. */
function told<T>(prefix: string, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new Refused(prefix + error.message);
  }
}

/** How Go's JSON says that a value is not of the type that is needed. */
function wrongType(value: unknown, wanted: string): string {
  const kind = Array.isArray(value) ? 'array' : value === true || value === false ? 'bool' : typeof value;
  return `json: cannot unmarshal ${kind} into Go value of type ${wanted}`;
}

/** A claim that is to be a string; null is Go's empty one. Throws a Refused. */
function text(claims: TokenClaims, name: string): string {
  if (!Object.hasOwn(claims, name)) throw new Refused('claim not present');
  const value = claims[name];
  if (value === null) return '';
  if (typeof value !== 'string') throw new Refused(wrongType(value, 'string'));
  return value;
}

function nameOf(
  claims: TokenClaims,
  value: Value,
  { claim, prefix = '' }: ClaimMappings['username'],
  expression: Expression | undefined,
): string {
  if (expression) {
    const name = told('oidc: error evaluating username claim expression: ', () => {
      const result = evaluate(expression, 'claims', value);
      if (typeof result !== 'string') throw new Refused('username claim expression must return a string');
      return result;
    });
    if (name === '') throw new Refused('oidc: empty username via CEL expression is not allowed');
    return name;
  }
  const name = told(`oidc: parse username claims ${JSON.stringify(claim)}: `, () => text(claims, claim));
  if (claim === 'email' && Object.hasOwn(claims, 'email_verified')) {
    const verified = claims['email_verified'];
    if (typeof verified !== 'boolean' && verified !== null) {
      throw new Refused(`oidc: parse 'email_verified' claim: ${wrongType(verified, 'bool')}`);
    }
    if (!verified) throw new Refused('oidc: email not verified');
  }
  return prefix + name;
}

function groupsOf(
  claims: TokenClaims,
  value: Value,
  { claim, prefix = '' }: ClaimMappings['groups'],
  expression: Expression | undefined,
): string[] {
  if (claim !== '' && Object.hasOwn(claims, claim)) {
    const groups = claims[claim];
    if (groups === null) return [];
    const all = [groups].flat();
    if (all.every(each => typeof each === 'string')) return all.map(group => prefix + group);
    throw new Refused(`oidc: parse groups claim ${JSON.stringify(claim)}: ${wrongType(groups, 'string')}`);
  }
  if (!expression) return [];
  return told('oidc: error evaluating group claim expression: ', () =>
    stringsOf(evaluate(expression, 'claims', value)),
  );
}

function uidOf(
  claims: TokenClaims,
  value: Value,
  { claim }: ClaimMappings['uid'],
  expression: Expression | undefined,
): string {
  if (claim !== '') return told(`oidc: parse uid claim ${JSON.stringify(claim)}: `, () => text(claims, claim));
  if (!expression) return '';
  return told('oidc: error evaluating uid claim expression: ', () => {
    const result = evaluate(expression, 'claims', value);
    if (typeof result !== 'string') throw new Refused('uid claim expression must return a string');
    return result;
  });
}

function extraOf(
  claims: TokenClaims,
  value: Value,
  expressions: AuthenticatorExpressions['extra'],
): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  const { jti } = claims;
  if (typeof jti === 'string' && jti !== '') extra[credentialId] = [`JTI=${jti}`];
  const results = expressions.map(each => ({ ...each, result: evaluate(each, 'claims', value) }));
  for (const { key, text: expression, result } of results) {
    const strings = told(`oidc: error evaluating extra claim expression: ${expression}: `, () => stringsOf(result));
    if (strings.length > 0) extra[key] = strings;
  }
  return extra;
}

function checkRequiredClaims(claims: TokenClaims, rules: readonly ClaimValidationRule[]): void {
  for (const { claim, requiredValue } of rules) {
    if (claim === '') continue;
    if (!Object.hasOwn(claims, claim)) throw new Refused(`oidc: required claim ${claim} not present in ID token`);
    const found = told(`oidc: parse claim ${claim}: `, () => text(claims, claim));
    if (found === requiredValue) continue;
    throw new Refused(`oidc: required claim ${claim} value does not match. Got = ${found}, want = ${requiredValue}`);
  }
}

/** All are evaluated before any is judged. */
function checkRules(rules: readonly RuleExpression[], variable: 'claims' | 'user', value: Value): void {
  const results = rules.map(rule => ({ ...rule, result: evaluate(rule, variable, value) }));
  for (const { text: expression, message, result } of results) {
    if (typeof result !== 'boolean') throw new Refused('validation expression must return a boolean');
    if (!result) throw new Refused(`validation expression '${expression}' failed: ${message}`);
  }
}
