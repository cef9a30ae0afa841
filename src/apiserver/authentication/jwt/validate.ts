/**
 * What is wrong with an AuthenticationConfiguration, and its expressions compiled. Upstream: apiserver
 * pkg/apis/apiserver/validation/validation.go.
 */
import {
  append,
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  isDomainPrefixedPath,
  parseGoUrl,
  required,
  tooMany,
} from '#apimachinery';
import { parseBundle } from '#pki';
import type {
  AuthenticationConfiguration,
  ClaimMappings,
  ClaimValidationRule,
  Issuer,
  JwtAuthenticatorConfiguration,
  PrefixedClaimOrExpression,
  UserValidationRule,
} from './configuration.ts';
import type { ClaimsCompiler, Expression } from './expressions.ts';

const maxAuthenticators = 64;
const policyMustBe = 'audienceMatchPolicy must be';

export interface RuleExpression extends Expression {
  readonly message: string;
}

/** The expressions of one authenticator; what is mapped by a claim has none. */
export interface AuthenticatorExpressions {
  readonly username?: Expression;
  readonly groups?: Expression;
  readonly uid?: Expression;
  readonly extra: ReadonlyArray<Expression & { readonly key: string }>;
  readonly claimRules: readonly RuleExpression[];
  readonly userRules: readonly RuleExpression[];
}

export interface Validated {
  readonly errors: readonly FieldError[];
  /** By authenticator; worth something only without errors. */
  readonly expressions: readonly AuthenticatorExpressions[];
}

/** `disallowedIssuers`: those of ServiceAccounts' tokens, which are judged by other rules. */
export function validateAuthenticationConfiguration(
  { jwt, anonymous }: AuthenticationConfiguration,
  compiler: ClaimsCompiler,
  disallowedIssuers: readonly string[],
): Validated {
  const root = FieldPath.of('jwt');
  if (jwt.length > maxAuthenticators) {
    return { errors: [tooMany(root, jwt.length, maxAuthenticators)], expressions: [] };
  }
  const errors: FieldError[] = [];
  const urls = new Set<string>();
  const discoveryUrls = new Set<string>();
  const expressions = jwt.map((each, index) => {
    const at = root.index(index);
    const validator = new AuthenticatorValidator(compiler, errors);
    const compiled = validator.check(each, at, disallowedIssuers);
    const { url, discoveryUrl } = each.issuer;
    if (urls.has(url)) errors.push(duplicate(at.child('issuer', 'url'), url));
    urls.add(url);
    if (discoveryUrl !== '') {
      if (discoveryUrls.has(discoveryUrl)) errors.push(duplicate(at.child('issuer', 'discoveryURL'), discoveryUrl));
      discoveryUrls.add(discoveryUrl);
    }
    return compiled;
  });
  if (anonymous && !anonymous.enabled && anonymous.conditions.length > 0) {
    const shown = anonymous.conditions.map(({ path }) => ({ Path: path }));
    const detail = 'enabled should be set to true when conditions are defined';
    errors.push(invalidValue(FieldPath.of('anonymous', 'conditions'), shown, detail));
  }
  return { errors, expressions };
}

class AuthenticatorValidator {
  readonly #compiler: ClaimsCompiler;
  readonly #errors: FieldError[];

  constructor(compiler: ClaimsCompiler, errors: FieldError[]) {
    this.#compiler = compiler;
    this.#errors = errors;
  }

  check(
    { issuer, claimValidationRules, claimMappings, userValidationRules }: JwtAuthenticatorConfiguration,
    at: FieldPath,
    disallowedIssuers: readonly string[],
  ): AuthenticatorExpressions {
    append(this.#errors, issuerErrors(issuer, at.child('issuer'), disallowedIssuers));
    const claimRules = this.#claimRules(claimValidationRules, at.child('claimValidationRules'));
    const mappings = this.#mappings(claimMappings, at.child('claimMappings'), claimRules);
    const userRules = this.#userRules(userValidationRules, at.child('userValidationRules'));
    return { ...mappings, claimRules, userRules };
  }

  #compile(text: string, variable: 'claims' | 'user', result: 'any' | 'bool', at: FieldPath): Expression | undefined {
    const compiled = this.#compiler.compile(text, variable, result);
    if (compiled.error === undefined) return compiled.expression;
    this.#errors.push(invalidValue(at, text, compiled.error));
    return undefined;
  }

  #claimRules(rules: readonly ClaimValidationRule[], root: FieldPath): RuleExpression[] {
    const claims = new Set<string>();
    const expressions = new Set<string>();
    return rules.flatMap((rule, index) => {
      const at = root.index(index);
      const { claim, requiredValue, expression, message } = rule;
      if (claim !== '' && expression !== '') {
        this.#errors.push(invalidValue(at, claim, "claim and expression can't both be set"));
      } else if (claim === '' && expression === '') {
        this.#errors.push(required(at, 'claim or expression is required'));
      } else if (claim !== '') {
        if (message !== '') {
          this.#errors.push(invalidValue(at.child('message'), message, 'may not be specified when claim is set'));
        }
        if (claims.has(claim)) this.#errors.push(duplicate(at.child('claim'), claim));
        claims.add(claim);
      } else {
        if (requiredValue !== '') {
          const detail = 'may not be specified when expression is set';
          this.#errors.push(invalidValue(at.child('requiredValue'), requiredValue, detail));
        }
        return this.#rule({ expression, message }, 'claims', at, expressions);
      }
      return [];
    });
  }

  #userRules(rules: readonly UserValidationRule[], root: FieldPath): RuleExpression[] {
    const expressions = new Set<string>();
    return rules.flatMap((rule, index) => {
      const at = root.index(index);
      if (rule.expression !== '') return this.#rule(rule, 'user', at, expressions);
      this.#errors.push(required(at.child('expression')));
      return [];
    });
  }

  #rule(
    { expression: text, message }: UserValidationRule,
    variable: 'claims' | 'user',
    at: FieldPath,
    seen: Set<string>,
  ): RuleExpression[] {
    if (seen.has(text)) {
      this.#errors.push(duplicate(at.child('expression'), text));
      return [];
    }
    seen.add(text);
    const compiled = this.#compile(text, variable, 'bool', at.child('expression'));
    return compiled ? [{ ...compiled, message }] : [];
  }

  #mappings(
    mappings: ClaimMappings,
    at: FieldPath,
    claimRules: readonly Expression[],
  ): Omit<AuthenticatorExpressions, 'claimRules' | 'userRules'> {
    const username = this.#mapping(mappings.username, at.child('username'), true);
    const groups = this.#mapping(mappings.groups, at.child('groups'), false);
    const uid = this.#uid(mappings.uid, at.child('uid'));
    const extra = this.#extra(mappings.extra, at.child('extra'));
    const verifiedBy = [username, ...extra, ...claimRules];
    const usesEmail = username?.program.selects('claims', 'email');
    if (usesEmail && !verifiedBy.some(each => each?.program.selects('claims', 'email_verified'))) {
      this.#errors.push(
        invalidValue(
          at.child('username', 'expression'),
          mappings.username.expression,
          'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression',
        ),
      );
    }
    return { ...(username && { username }), ...(groups && { groups }), ...(uid && { uid }), extra };
  }

  #mapping(
    { claim, prefix, expression }: PrefixedClaimOrExpression,
    at: FieldPath,
    isRequired: boolean,
  ): Expression | undefined {
    if (expression !== '' && claim !== '') {
      this.#errors.push(invalidValue(at, '', "claim and expression can't both be set"));
    } else if (expression !== '') {
      const before = this.#errors.length;
      if (prefix !== undefined) {
        this.#errors.push(invalidValue(at.child('prefix'), prefix, 'may not be specified when expression is set'));
      }
      const compiled = this.#compile(expression, 'claims', 'any', at.child('expression'));
      return this.#errors.length === before ? compiled : undefined;
    } else if (claim !== '') {
      if (prefix === undefined) {
        const detail = 'prefix is required when claim is set. It can be set to an empty string to disable prefixing';
        this.#errors.push(required(at.child('prefix'), detail));
      }
    } else if (isRequired) this.#errors.push(required(at, 'claim or expression is required'));
    return undefined;
  }

  #uid({ claim, expression }: ClaimMappings['uid'], at: FieldPath): Expression | undefined {
    if (claim !== '' && expression !== '') {
      this.#errors.push(invalidValue(at, '', "claim and expression can't both be set"));
      return undefined;
    }
    return expression === '' ? undefined : this.#compile(expression, 'claims', 'any', at.child('expression'));
  }

  #extra(mappings: ClaimMappings['extra'], root: FieldPath): Array<Expression & { readonly key: string }> {
    const keys = new Set<string>();
    return mappings.flatMap(({ key, valueExpression }, index) => {
      const at = root.index(index);
      append(this.#errors, extraKeyErrors(key, at.child('key')));
      if (keys.has(key)) {
        this.#errors.push(duplicate(at.child('key'), key));
        return [];
      }
      keys.add(key);
      if (valueExpression === '') {
        this.#errors.push(required(at.child('valueExpression')));
        return [];
      }
      const compiled = this.#compile(valueExpression, 'claims', 'any', at.child('valueExpression'));
      return compiled ? [{ ...compiled, key }] : [];
    });
  }
}

function extraKeyErrors(key: string, at: FieldPath): FieldError[] {
  const errors = isDomainPrefixedPath(at, key);
  if (key !== key.toLowerCase()) errors.push(invalidValue(at, key, 'must be lowercase'));
  const [domain = ''] = key.includes('/') ? key.split('/') : [];
  if (/(^|\.)(kubernetes|k8s)\.io$/.test(domain)) {
    const detail = 'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use';
    errors.push(invalidValue(at, key, detail));
  }
  return errors;
}

function issuerErrors(issuer: Issuer, at: FieldPath, disallowedIssuers: readonly string[]): FieldError[] {
  const { url, discoveryUrl, certificateAuthority, egressSelectorType } = issuer;
  const errors: FieldError[] = [];
  if (url === '') errors.push(required(at.child('url')));
  else append(errors, urlErrors(url, at.child('url'), disallowedIssuers));
  if (discoveryUrl !== '') {
    const path = at.child('discoveryURL');
    const isSame = url !== '' && url.replace(/\/+$/, '') === discoveryUrl.replace(/\/+$/, '');
    if (isSame) errors.push(invalidValue(path, discoveryUrl, 'discoveryURL must be different from URL'));
    append(errors, urlErrors(discoveryUrl, path, []));
  }
  append(errors, audienceErrors(issuer, at));
  if (certificateAuthority !== '') {
    const problem = bundleProblem(certificateAuthority);
    if (problem !== undefined) errors.push(invalidValue(at.child('certificateAuthority'), '<omitted>', problem));
  }
  if (egressSelectorType !== '' && egressSelectorType !== 'controlplane' && egressSelectorType !== 'cluster') {
    const detail = 'egress selector must be either controlplane or cluster';
    errors.push(invalidValue(at.child('egressSelectorType'), egressSelectorType, detail));
  }
  return errors;
}

function bundleProblem(pem: string): string | undefined {
  try {
    parseBundle(pem);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function urlErrors(text: string, at: FieldPath, disallowedIssuers: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (detail: string): unknown => errors.push(invalidValue(at, text, detail));
  if (disallowedIssuers.includes(text)) {
    refuse(`URL must not overlap with disallowed issuers: [${disallowedIssuers.toSorted().join(' ')}]`);
  }
  const url = parseGoUrl(text);
  if (typeof url === 'string') {
    refuse(url);
    return errors;
  }
  if (url.scheme !== 'https') refuse('URL scheme must be https');
  if (url.user !== undefined) refuse('URL must not contain a username or password');
  if (url.query !== '') refuse('URL must not contain a query');
  if (url.fragment !== '') refuse('URL must not contain a fragment');
  return errors;
}

function audienceErrors({ audiences, audienceMatchPolicy: policy }: Issuer, issuer: FieldPath): FieldError[] {
  const root = issuer.child('audiences');
  if (audiences.length === 0) return [required(root, `at least one ${root} is required`)];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, audience] of audiences.entries()) {
    if (audience === '') errors.push(required(root.index(index)));
    if (seen.has(audience)) errors.push(duplicate(root.index(index), audience));
    seen.add(audience);
  }
  const at = issuer.child('audienceMatchPolicy');
  if (audiences.length > 1 && policy !== 'MatchAny') {
    errors.push(invalidValue(at, policy, `${policyMustBe} MatchAny for multiple audiences`));
  }
  if (audiences.length === 1 && policy !== '' && policy !== 'MatchAny') {
    errors.push(invalidValue(at, policy, `${policyMustBe} empty or MatchAny for single audience`));
  }
  return errors;
}
