/** The part of oidc-provider's face that the tests use: the package brings no types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  export type JWK = Readonly<Record<string, unknown>> & { readonly kid?: string };

  interface Grant {
    addOIDCScope(scope: string): void;
    addOIDCClaims(claims: readonly string[]): void;
    save(): Promise<string>;
  }

  export interface Context {
    readonly oidc: {
      readonly provider: { readonly Grant: new (of: { clientId: string; accountId: string }) => Grant };
      readonly client?: { readonly clientId: string };
      readonly session?: { readonly accountId?: string };
    };
  }

  export type Stored = Readonly<Record<string, unknown>>;

  export interface Adapter {
    upsert(id: string, payload: Stored): Promise<void>;
    find(id: string): Promise<Stored | undefined>;
    findByUid(uid: string): Promise<Stored | undefined>;
    findByUserCode(code: string): Promise<Stored | undefined>;
    destroy(id: string): Promise<void>;
    revokeByGrantId(id: string): Promise<void>;
    consume(id: string): Promise<void>;
  }

  export interface Configuration {
    readonly adapter: (name: string) => Adapter;
    readonly findAccount: (context: Context, id: string) => object | undefined;
    readonly loadExistingGrant: (context: Context) => Promise<Grant>;
    readonly interactions: { url(context: Context, interaction: { readonly uid: string }): string };
    readonly [option: string]: unknown;
  }

  export class Provider {
    constructor(issuer: string, configuration: Configuration);
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
    interactionDetails(
      request: IncomingMessage,
      response: ServerResponse,
    ): Promise<{ readonly params: Readonly<Record<string, unknown>> }>;
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>;
  }
}
