/** What goes along with a write through the registry: who, where, with which options, and what to tell them. */

import type { RuleContext } from '#api/kind';
import type { DeleteOptions, Draft, KubeObject } from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';
import type { Companions } from './object-store.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** Called inside a write with objects of the stored version. */
export interface WriteHooks {
  /** Mutating admission, on a draft. `old` is null on create. */
  admit?(draft: Draft<KubeObject>, old: KubeObject | null): Promise<void>;
  /** Validating admission, both frozen. `object` is null on delete. Answers what is to commit with the object. */
  validate?(object: KubeObject | null, old: KubeObject | null): Promise<Companions | undefined>;
}

export interface WriteContext extends WriteHooks {
  readonly user: UserInfo;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  /** The request's verb as authorizers know it; default `update`. */
  readonly verb?: string;
  /** Of the request, as `apps/v1`. */
  readonly groupVersion?: string;
  readonly dryRun: boolean;
  /**
   * Who owns the fields of a write of the server's own, which the registry keeps account of; of requests the handlers
   * do.
   */
  readonly fieldManager?: string;
  /** Adds a `Warning:` header. */
  readonly warn: (text: string) => void;
  /** As the request names it: errors speak of this group and resource. */
  readonly requestResource: { readonly group: string; readonly resource: string };
}

export interface DeleteContext extends WriteContext {
  readonly options: DeleteOptions;
}

/** The settings that rules may depend on. */
export type RuleConfig = RuleContext['config'];
