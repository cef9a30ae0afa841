import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aggregateText } from '#apimachinery';
import { ClaimsCompiler } from './expressions.ts';
import { parseAuthenticationConfiguration } from './load.ts';
import { validateAuthenticationConfiguration } from './validate.ts';

const kind = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration' };
const good = {
  issuer: { url: 'https://a.example', audiences: ['x'] },
  claimMappings: { username: { claim: 'sub', prefix: '' } },
};
const compiler = new ClaimsCompiler();

/** What upstream's answer to the same file is, as recorded from a live v1.36. */
function refusal(...jwt: object[]): string {
  const configuration = parseAuthenticationConfiguration(JSON.stringify({ ...kind, jwt }));
  const { errors } = validateAuthenticationConfiguration(configuration, compiler, []);
  return errors.length === 0 ? '' : aggregateText(errors);
}

const withIssuer = (issuer: object): object => ({ ...good, issuer: { ...good.issuer, ...issuer } });
const withMappings = (mappings: object): object => ({ ...good, claimMappings: { ...good.claimMappings, ...mappings } });

describe('an AuthenticationConfiguration', () => {
  it('is refused for what is wrong with an issuer, in upstream’s words', () => {
    assert.equal(refusal(good), '');
    assert.equal(refusal(withIssuer({ url: '' })), 'jwt[0].issuer.url: Required value');
    const scheme = 'jwt[0].issuer.url: Invalid value: "http://a": URL scheme must be https';
    assert.equal(refusal(withIssuer({ url: 'http://a' })), scheme);
    assert.equal(
      refusal(withIssuer({ url: 'https://a b' })),
      'jwt[0].issuer.url: Invalid value: "https://a b": parse "https://a b": invalid character " " in host name',
    );
    assert.equal(
      refusal(withIssuer({ discoveryURL: 'https://a.example/' })),
      'jwt[0].issuer.discoveryURL: Invalid value: "https://a.example/": discoveryURL must be different from URL',
    );
    const none = 'jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required';
    assert.equal(refusal(withIssuer({ audiences: [] })), none);
    assert.equal(
      refusal(withIssuer({ audiences: ['a', 'b'] })),
      'jwt[0].issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences',
    );
    assert.equal(refusal(good, good), 'jwt[1].issuer.url: Duplicate value: "https://a.example"');
  });

  it('is refused for what is wrong with its rules and mappings', () => {
    assert.equal(
      refusal({ ...good, claimValidationRules: [{}, { claim: 'a', expression: 'true' }, { expression: 'claims.x' }] }),
      `[jwt[0].claimValidationRules[0]: Required value: claim or expression is required, jwt[0].claimValidationRules[1]: Invalid value: "a": claim and expression can't both be set, jwt[0].claimValidationRules[2].expression: Invalid value: "claims.x": must evaluate to bool]`,
    );
    assert.equal(
      refusal({ ...good, userValidationRules: [{ expression: 'user.foo == ""' }] }),
      `jwt[0].userValidationRules[0].expression: Invalid value: "user.foo == \\"\\"": compilation failed: ERROR: <input>:1:5: undefined field 'foo'\n | user.foo == ""\n | ....^`,
    );
    assert.equal(
      refusal(withMappings({ username: { claim: 'a' } })),
      'jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing',
    );
    const key = 'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use';
    assert.equal(
      refusal(withMappings({ extra: [{ key: 'foo.k8s.io/x', valueExpression: 'claims.a' }] })),
      `jwt[0].claimMappings.extra[0].key: Invalid value: "foo.k8s.io/x": ${key}`,
    );
  });

  it('may not trust an e-mail address that nobody verified, however it is written', () => {
    const unverified = /claims\.email_verified must be used/;
    const by = (expression: string, more: object = {}): string =>
      refusal(withMappings({ username: { expression }, ...more }));
    assert.match(by('claims.email'), unverified);
    assert.match(by('claims.?email.orValue("")'), unverified);
    assert.match(by('[1].map(x, claims.email)[0]'), unverified);
    assert.equal(by('claims["email"]'), '', 'an index is not seen, as upstream does not see it');
    assert.equal(by('claims.email_verified ? claims.email : ""'), '');
    const extra = [{ key: 'a.b/c', valueExpression: 'string(claims.email_verified)' }];
    assert.equal(by('claims.email', { extra }), '');
  });

  it('is read strictly', () => {
    const read = (text: string): unknown => parseAuthenticationConfiguration(text);
    assert.throws(() => read(''), { message: 'empty config data' });
    assert.throws(() => read(JSON.stringify({ ...kind, foo: 1 })), {
      message: 'strict decoding error: unknown field "foo"',
    });
    assert.throws(() => read(JSON.stringify({ ...kind, kind: 'AuthorizationConfiguration' })), {
      message: 'expected AuthenticationConfiguration, got *apiserver.AuthorizationConfiguration',
    });
    for (const version of ['v1alpha1', 'v1beta1'])
      read(JSON.stringify({ ...kind, apiVersion: `apiserver.config.k8s.io/${version}` }));
  });
});
