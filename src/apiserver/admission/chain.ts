/**
 * Admission: an ordered list of plugins that may change, then must accept, what is about to be written.
 * Upstream: apiserver pkg/admission, pkg/kubeapiserver/options/plugins.go for names and order.
 */
import type { DeleteOptions, Draft, KubeObject } from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';
import type { ServedResource } from '../scheme/resource.ts';

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** What is about to happen. Objects are of the stored version. */
export interface AdmissionAttributes {
  readonly operation: AdmissionOperation;
  readonly resource: ServedResource;
  readonly subresource: string;
  readonly namespace: string;
  /** Empty while a name is yet to be generated. */
  readonly name: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly options: DeleteOptions | Readonly<Record<string, unknown>>;
  /** Null on create. */
  readonly old: KubeObject | null;
  readonly warn: (text: string) => void;
}

export interface AdmissionPlugin {
  readonly name: string;
  handles(attributes: AdmissionAttributes): boolean;
  /** May change the draft (null on delete and connect). Must be idempotent. */
  admit?(attributes: AdmissionAttributes, draft: Draft<KubeObject> | null): Promise<void> | void;
  /** Throws a StatusError to refuse. */
  validate?(attributes: AdmissionAttributes, object: KubeObject | null): Promise<void> | void;
}

export class AdmissionChain {
  readonly plugins: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.plugins = plugins;
  }

  async admit(attributes: AdmissionAttributes, draft: Draft<KubeObject> | null): Promise<void> {
    for (const plugin of this.plugins) {
      if (plugin.admit && plugin.handles(attributes)) await plugin.admit(attributes, draft);
    }
  }

  async validate(attributes: AdmissionAttributes, object: KubeObject | null): Promise<void> {
    for (const plugin of this.plugins) {
      if (plugin.validate && plugin.handles(attributes)) await plugin.validate(attributes, object);
    }
  }
}
